module github.com/podsuite/podsuite/skopeo

go 1.26.0

replace github.com/podsuite/podsuite/shared => ../shared
