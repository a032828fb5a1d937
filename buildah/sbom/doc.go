// Package sbom lists the software in a root file system, as bills of materials
// in the formats of CycloneDX and SPDX, and merges bills that others wrote.
//
// It reads what dpkg, apk and rpm know to be installed and what Go programs say
// of their modules. The files are an image's, so nothing in them is trusted:
// they are opened below the root and read up to a limit. It imports from shared alone.
package sbom
