package main

// scenario is a command that meets a fault. Its parts are shell commands with
// podman, buildah and skopeo of the tested build in PATH.
type scenario struct {
	name     string
	remote   bool   // needs the registry
	prepare  string // before, unharmed
	command  string
	promise  string // must hold where the command ended with 0
	fleeting bool   // a power cut may take it: the container no longer runs, or the image can be had again
}

var scenarios = []scenario{
	{name: "run", command: "podman run --name c --network none -v data:/data localhost/base sh -c 'echo x >/f; echo y >/data/f'",
		promise: "podman inspect c && podman volume inspect data"},
	{name: "run-rm", command: "podman run --rm --network none localhost/base true"},
	{name: "run-bridge", command: "podman run -d --name c -p 8080:80 localhost/base sleep 1000", promise: "podman exec c true", fleeting: true},
	{name: "start", prepare: "podman create --name c localhost/base sleep 1000", command: "podman start c", promise: "podman exec c true", fleeting: true},
	{name: "exec", prepare: "podman run -d --name c --network none localhost/base sleep 1000", command: "podman exec c touch /f", promise: "podman exec c ls /f", fleeting: true},
	{name: "stop", prepare: "podman run -d --name c localhost/base sleep 1000", command: "podman stop -t 0 c", promise: "test $(podman inspect -f '{{.State.Status}}' c) = exited"},
	{name: "rm", prepare: "podman run -d --name c -v data:/data localhost/base sleep 1000", command: "podman rm -f -t 0 c", promise: "! podman container exists c"},
	{name: "commit", prepare: "podman run --name c --network none localhost/base touch /f", command: "podman commit -q c localhost/committed",
		promise: "podman run --rm --network none localhost/committed ls /f"},
	{name: "cp", prepare: "podman create --name c --network none localhost/base true", command: "podman cp $WORK/context c:/", promise: "podman cp c:/context/file - >/dev/null"},
	{name: "rename", prepare: "podman create --name c --network none localhost/base true", command: "podman rename c d", promise: "podman inspect d"},
	{name: "build", command: "buildah build -q -t localhost/built $WORK/context", promise: "podman run --rm --network none localhost/built cat /made", fleeting: true},
	{name: "load", command: "podman load -q -i $WORK/other.tar", promise: "podman run --rm --network none localhost/other true", fleeting: true},
	{name: "save", command: "podman save -q -o $WORK/saved.tar localhost/base", promise: "skopeo inspect docker-archive:$WORK/saved.tar"},
	{name: "tag", command: "podman tag localhost/base localhost/tagged", promise: "podman image inspect localhost/tagged"},
	{name: "rmi", prepare: "podman load -q -i $WORK/other.tar", command: "podman rmi localhost/other", promise: "! podman image exists localhost/other"},
	{name: "prune", prepare: "podman run --name c --network none localhost/base touch /f; podman volume create data", command: "podman system prune -f --volumes", promise: "! podman container exists c"},
	{name: "volume-create", command: "podman volume create data", promise: "podman volume inspect data"},
	{name: "volume-rm", prepare: "podman volume create data", command: "podman volume rm data", promise: "! podman volume exists data"},
	{name: "network-create", command: "podman network create net", promise: "podman run --rm --network net localhost/base true"},
	{name: "network-rm", prepare: "podman network create net", command: "podman network rm net", promise: "! podman network exists net"},
	{name: "network-connect", prepare: "podman network create net; podman run -d --name c localhost/base sleep 1000", command: "podman network connect net c",
		promise: "podman exec c ip link show eth1", fleeting: true},
	{name: "push", remote: true, command: "podman push -q --tls-verify=false localhost/base localhost:5000/pushed", promise: "skopeo inspect --tls-verify=false docker://localhost:5000/pushed"},
	{name: "pull", remote: true, command: "podman pull -q --tls-verify=false localhost:5000/other", promise: "podman run --rm --network none localhost:5000/other true", fleeting: true},
	{name: "skopeo-copy", remote: true, command: "skopeo copy -q --src-tls-verify=false docker://localhost:5000/other containers-storage:localhost/other",
		promise: "podman run --rm --network none localhost/other true", fleeting: true},
}
