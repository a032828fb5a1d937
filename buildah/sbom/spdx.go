package sbom

import (
	"fmt"
	"time"
)

// spdxDocument is what is written of SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/.
type spdxDocument struct {
	Version       string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      spdxCreation   `json:"creationInfo"`
	Packages      []spdxPackage  `json:"packages"`
	Relationships []spdxRelation `json:"relationships"`
}

type spdxCreation struct {
	Creators []string `json:"creators"`
	Created  string   `json:"created"`
}

type spdxPackage struct {
	Name             string    `json:"name"`
	ID               string    `json:"SPDXID"`
	Version          string    `json:"versionInfo,omitempty"`
	Supplier         string    `json:"supplier,omitempty"`
	DownloadLocation string    `json:"downloadLocation"`
	FilesAnalyzed    bool      `json:"filesAnalyzed"`
	SourceInfo       string    `json:"sourceInfo,omitempty"`
	LicenseConcluded string    `json:"licenseConcluded"`
	LicenseDeclared  string    `json:"licenseDeclared"`
	LicenseComments  string    `json:"licenseComments,omitempty"`
	Copyright        string    `json:"copyrightText"`
	References       []spdxRef `json:"externalRefs,omitempty"`
	Purpose          string    `json:"primaryPackagePurpose,omitempty"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelation struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// SPDX writes the inventory as JSON of SPDX 2.3.
func (inv *Inventory) SPDX(about About) ([]byte, error) {
	const document, image, none = "SPDXRef-DOCUMENT", "SPDXRef-image", "NOASSERTION"
	// What packages say of their licences is rarely an expression of SPDX.
	one := spdxPackage{DownloadLocation: none, LicenseConcluded: none, LicenseDeclared: none, Copyright: none}
	whole := one
	whole.Name, whole.ID, whole.Purpose = about.Name, image, "CONTAINER"
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: document, Name: about.Name,
		Namespace:     "https://spdx.org/spdxdocs/" + inv.uuid(about),
		Creation:      spdxCreation{Creators: []string{"Tool: " + about.Tool + "-" + about.Version}, Created: about.Time.UTC().Format(time.RFC3339)},
		Packages:      []spdxPackage{whole},
		Relationships: []spdxRelation{{document, "DESCRIBES", image}},
	}
	for i := range inv.Packages {
		p, entry := &inv.Packages[i], one
		entry.Name, entry.Version, entry.LicenseComments = p.Name, p.Version, p.License
		entry.ID = fmt.Sprintf("SPDXRef-Package-%s-%d", p.Type, i)
		entry.References = []spdxRef{{"PACKAGE-MANAGER", "purl", p.PURL()}}
		if p.Supplier != "" {
			entry.Supplier = "Organization: " + p.Supplier
		}
		if p.Place != "" {
			entry.SourceInfo = "module of the Go program " + p.Place
		}
		doc.Packages = append(doc.Packages, entry)
		doc.Relationships = append(doc.Relationships, spdxRelation{image, "CONTAINS", entry.ID})
	}
	return marshal(doc, "  ")
}
