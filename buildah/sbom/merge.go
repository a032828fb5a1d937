package sbom

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The ways to make one bill of several.
const (
	MergeCat       = "cat"
	MergeCycloneDX = "merge-cyclonedx-by-component-name-and-version"
	MergeSPDX      = "merge-spdx-by-package-name-and-versioninfo"
)

// Merge makes one bill of several, in their order.
func Merge(strategy string, bills [][]byte) ([]byte, error) {
	switch {
	case strategy == MergeCat || len(bills) == 1:
		return bytes.Join(bills, nil), nil
	case strategy == MergeCycloneDX:
		return mergeLists(bills, "components", "version")
	case strategy == MergeSPDX:
		return mergeLists(bills, "packages", "versionInfo")
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "sbom arguments included unrecognized merge strategy %q", strategy)
}

// CheckMerge refuses a strategy that is none.
func CheckMerge(strategy string) error {
	_, err := Merge(strategy, [][]byte{[]byte("{}"), []byte("{}")})
	return err
}

// mergeLists adds to the first document's list what the others have and no
// entry with the same name and version stands for yet.
func mergeLists(bills [][]byte, list, version string) ([]byte, error) {
	var merged map[string]json.RawMessage
	entries := []json.RawMessage{}
	seen := map[[2]string]bool{}
	for _, bill := range bills {
		doc, some := map[string]json.RawMessage{}, []json.RawMessage{}
		if err := json.Unmarshal(bill, &doc); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "merge bills of materials: %w", err)
		}
		if doc[list] != nil {
			if err := json.Unmarshal(doc[list], &some); err != nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "merge bills of materials: %s: %w", list, err)
			}
		}
		if doc == nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "merge bills of materials: one is null")
		}
		if merged == nil {
			merged = doc
		}
		for _, entry := range some {
			fields := map[string]any{}
			if err := json.Unmarshal(entry, &fields); err != nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "merge bills of materials: %s: %w", list, err)
			}
			name, _ := fields["name"].(string)
			number, _ := fields[version].(string)
			if key := [2]string{name, number}; !seen[key] {
				seen[key] = true
				entries = append(entries, entry)
			}
		}
	}
	data, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	merged[list] = data
	return json.Marshal(merged)
}

// PURLs lists the package URLs in a bill, as a document of its own.
func PURLs(bill []byte) ([]byte, error) {
	found := map[string]bool{}
	for in := json.NewDecoder(bytes.NewReader(bill)); in.More(); { // several, one after the other
		var doc struct {
			Components []struct {
				PURL string `json:"purl"`
			} `json:"components"`
			Packages []struct {
				Refs []struct {
					Type    string `json:"referenceType"`
					Locator string `json:"referenceLocator"`
				} `json:"externalRefs"`
			} `json:"packages"`
		}
		if err := in.Decode(&doc); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "look for package URLs: %w", err)
		}
		for _, c := range doc.Components {
			found[c.PURL] = true
		}
		for _, p := range doc.Packages {
			for _, r := range p.Refs {
				if r.Type == "purl" {
					found[r.Locator] = true
				}
			}
		}
	}
	delete(found, "")
	type contents struct {
		Dependencies []string `json:"dependencies"`
	}
	urls := slices.AppendSeq([]string{}, maps.Keys(found))
	slices.Sort(urls)
	return marshal(struct {
		Contents contents `json:"image_contents"`
	}{contents{urls}}, "")
}
