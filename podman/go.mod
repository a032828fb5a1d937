module github.com/podsuite/podsuite/podman

go 1.26.8

replace github.com/podsuite/podsuite/shared => ../shared

replace github.com/podsuite/podsuite/buildah => ../buildah
