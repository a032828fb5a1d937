module github.com/podsuite/podsuite/buildah

go 1.26.8

replace github.com/podsuite/podsuite/shared => ../shared
