package sbom

import (
	"fmt"
	"time"
)

// cdxBOM is what is written of CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/.
type cdxBOM struct {
	Schema       string         `json:"$schema"`
	Format       string         `json:"bomFormat"`
	SpecVersion  string         `json:"specVersion"`
	SerialNumber string         `json:"serialNumber"`
	Version      int            `json:"version"`
	Metadata     cdxMetadata    `json:"metadata"`
	Components   []cdxComponent `json:"components"`
}

type cdxMetadata struct {
	Timestamp string       `json:"timestamp"`
	Tools     cdxTools     `json:"tools"`
	Component cdxComponent `json:"component"`
}

type cdxTools struct {
	Components []cdxComponent `json:"components"`
}

type cdxComponent struct {
	Ref         string       `json:"bom-ref,omitempty"`
	Type        string       `json:"type"`
	Supplier    *cdxNamed    `json:"supplier,omitempty"`
	Name        string       `json:"name"`
	Version     string       `json:"version,omitempty"`
	Description string       `json:"description,omitempty"`
	Licenses    []cdxLicense `json:"licenses,omitempty"`
	PURL        string       `json:"purl,omitempty"`
	Evidence    *cdxEvidence `json:"evidence,omitempty"`
}

type cdxNamed struct {
	Name string `json:"name"`
}

type cdxLicense struct {
	License cdxNamed `json:"license"`
}

type cdxEvidence struct {
	Occurrences []cdxPlace `json:"occurrences"`
}

type cdxPlace struct {
	Location string `json:"location"`
}

// CycloneDX writes the inventory as JSON of CycloneDX 1.6.
func (inv *Inventory) CycloneDX(about About) ([]byte, error) {
	bom := cdxBOM{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6",
		SerialNumber: "urn:uuid:" + inv.uuid(about), Version: 1,
		Metadata: cdxMetadata{
			Timestamp: about.Time.UTC().Format(time.RFC3339),
			Tools:     cdxTools{[]cdxComponent{{Type: "application", Name: about.Tool, Version: about.Version}}},
			Component: cdxComponent{Ref: "image", Type: "container", Name: about.Name},
		},
		Components: []cdxComponent{},
	}
	if d := inv.Distro; d.ID != "" {
		bom.Components = append(bom.Components, cdxComponent{Ref: "os:" + d.ID + "@" + d.Version, Type: "operating-system", Name: d.ID, Version: d.Version, Description: d.Name})
	}
	for i := range inv.Packages {
		p := &inv.Packages[i]
		c := cdxComponent{Ref: fmt.Sprintf("%s#%d", p.PURL(), i), Type: "library", Name: p.Name, Version: p.Version, PURL: p.PURL()}
		if p.License != "" {
			c.Licenses = []cdxLicense{{cdxNamed{p.License}}}
		}
		if p.Supplier != "" {
			c.Supplier = &cdxNamed{p.Supplier}
		}
		if p.Place != "" {
			c.Evidence = &cdxEvidence{[]cdxPlace{{p.Place}}}
		}
		bom.Components = append(bom.Components, c)
	}
	return marshal(bom, "  ")
}
