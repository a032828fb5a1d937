module github.com/podsuite/podsuite/buildah

go 1.26.8

require github.com/podsuite/podsuite/shared v0.0.0

require (
	github.com/moby/buildkit v0.34.2 // indirect
	github.com/moby/patternmatcher v0.6.1 // indirect
)

replace github.com/podsuite/podsuite/shared => ../shared
