package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// About is what a bill says of itself.
type About struct {
	Name    string // of the image
	Tool    string // that made the bill
	Version string // of the tool
	Time    time.Time
}

// marshal writes JSON with its ampersands, which URLs have, as they are.
func marshal(doc any, indent string) ([]byte, error) {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	to.SetIndent("", indent)
	err := to.Encode(doc)
	return out.Bytes(), err
}

// uuid is made of the content: the same image has the same bill.
func (inv *Inventory) uuid(about About) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%+v\n", about.Name, about.Time.UTC(), inv.Distro)
	for i := range inv.Packages {
		fmt.Fprintf(h, "%s %s\n", inv.Packages[i].PURL(), inv.Packages[i].Place)
	}
	sum := h.Sum(nil)[:16]
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made in a way of one's own
	text := hex.EncodeToString(sum)
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}
