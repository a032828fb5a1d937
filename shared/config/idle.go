package config

import (
	"slices"
	"strings"
)

// idleKeys are the keys of containers.conf that are taken and have no effect,
// because what they are about does not exist here; each with why. A name that
// ends in a dot stands for its whole table. docs/differences.md lists them for
// users.
func idleKeys() map[string]string {
	const (
		noConmon  = "the monitor is built in"
		noClient  = "this is no client of a service"
		noService = "there is no service"
		noLocks   = "locks are files without numbers"
		noPlugins = "networks are made without plugins"
		noSlirp   = "slirp4netns is not used: options for pasta are in network.pasta_options"
		noCompose = "there is no compose command"
		noKube    = "there is no kube generate command"
		noMachine = "there are no virtual machines"
	)
	return map[string]string{
		"containers.label_users":               "containers get no SELinux labels",
		"engine.active_service":                noClient,
		"engine.compat_api_enforce_docker_hub": noService,
		"engine.compose_providers":             noCompose,
		"engine.compose_warning_logs":          noCompose,
		"engine.conmon_env_vars":               noConmon,
		"engine.conmon_path":                   noConmon,
		"engine.database_backend":              "there is no database",
		"engine.exit_command_delay":            noService,
		"engine.kube_generate_type":            noKube,
		"engine.lock_type":                     noLocks,
		"engine.network_cmd_options":           noSlirp,
		"engine.network_cmd_path":              noSlirp,
		"engine.num_locks":                     noLocks,
		"engine.remote_identity":               noClient,
		"engine.remote_uri":                    noClient,
		"engine.runtime_supports_json":         "how a runtime writes its messages makes no difference",
		"engine.runtime_supports_kvm":          "a runtime is used as it is",
		"engine.runtime_supports_nocgroups":    "a runtime is used as it is",
		"engine.service_destinations":          noClient,
		"engine.service_timeout":               noService,
		"engine.ssh_config":                    noClient,
		"engine.static_dir":                    "what lasts lies in the graph root",
		"engine.tmp_dir":                       "what is true of this boot lies in the run root",
		"engine.volume_plugin_timeout":         "volumes have no plugins",
		"network.cni_plugin_dirs":              noPlugins,
		"network.netavark_plugin_dirs":         noPlugins,
		"network.network_backend":              "there is one way to make networks, on netavark's files",
		"configmaps.":                          noKube,
		"farms.":                               "there are no farms",
		"machine.":                             noMachine,
		"podmansh.":                            "this is no login shell",
	}
}

// IdleKeys says which keys are set in the configuration files that have no
// effect, and why.
func (c *Config) IdleKeys() []string {
	why := idleKeys()
	var idle []string
	for key, file := range c.setIn {
		table, _, _ := strings.Cut(key, ".")
		reason := why[key]
		if reason == "" && key != table {
			reason = why[table+"."]
		}
		if reason != "" {
			idle = append(idle, "key \""+key+"\" in configuration \""+file+"\" has no effect: "+reason)
		}
	}
	slices.Sort(idle)
	return idle
}
