package config

import "time"

// Config is a kubevali.yaml as its author wrote it: decoded strictly, defaulted and checked, with its templates not
// yet rendered. The comments on its fields become the descriptions in docs/kubevali.schema.json.
type Config struct {
	// Template blocks ({{ define }}) that every other template of this file may use.
	CommonTemplate Template `yaml:"commonTemplate"`
	// What to run: the node's command line, environment and files.
	NodeTemplate NodeTemplate `yaml:"nodeTemplate" jsonschema:"required"`
	// The node's keys in its peer-to-peer network, by name, derived from a root secret.
	P2PKeys map[string]P2PKey `yaml:"p2pKeys"`
	// All pods of the StatefulSet together.
	Fleet Fleet `yaml:"fleet"`
	// The Service of this pod alone, through which peers outside the cluster reach it.
	NodeService NodeService `yaml:"nodeService"`
	// How the node is stopped and restarted.
	Process Process `yaml:"process"`
	// What in the node's logs tells that it is alive.
	Watchlog Watchlog `yaml:"watchlog"`
	// The healthchecks.io server that is told.
	Healthchecks Healthchecks `yaml:"healthchecks"`
	// The HTTP server behind the pod's probes.
	Monitor Monitor `yaml:"monitor"`
	// Where the node's standard output goes: kubevali's own stdout or stderr.
	NodeStdout Stream `yaml:"nodeStdout"`
	// Where the node's standard error goes: kubevali's own stdout or stderr.
	NodeStderr Stream `yaml:"nodeStderr"`
	// Kubevali's own log, always on stderr. The flags --log-level and --log-format win.
	Logging Logging `yaml:"logging"`

	places places
}

// At returns where the key with the given path stands in the file, such as watchlog.healthcheckIDs or
// nodeTemplate.files[0].mode; for a key that the file does not have, where the nearest key around it stands.
func (c *Config) At(path string) Position { return c.places.at(path) }

// NodeTemplate describes the node's process.
type NodeTemplate struct {
	// The pod's index, a number from 0. Empty: the ordinal at the end of the pod's name.
	Index Template `yaml:"index"`
	// The program and its first arguments; at least one item.
	Command []Template `yaml:"command" jsonschema:"required,minItems=1"`
	// How a flag and its value are joined: `--flag value` (space) or `--flag=value` (equals).
	ArgStyle ArgStyle `yaml:"argStyle"`
	// Flags by name, appended to the command in order of their names.
	Args Args `yaml:"args"`
	// Environment variables to add, by name.
	Env map[string]Template `yaml:"env"`
	// Names of environment variables the node does not get.
	UnsetEnv []string `yaml:"unsetEnv"`
	// The directory the node starts in. Empty: kubevali's own.
	WorkingDir Template `yaml:"workingDir"`
	// Files to write before the node starts.
	Files []File `yaml:"files"`
}

// File is one file to write before the node starts.
type File struct {
	// Where to write it. Missing folders are created.
	Path Template `yaml:"path" jsonschema:"required"`
	// What to write.
	Content Template `yaml:"content"`
	// The file's permissions, octal, in quotes. Default: "0600".
	Mode FileMode `yaml:"mode"`
	// Write it only where there is none yet, such as a random secret that must outlive restarts.
	IfNotExists bool `yaml:"ifNotExists"`
}

// Process describes how the node is stopped and restarted.
type Process struct {
	// The signal that stops the node gracefully, such as SIGINT. Empty: the one kubevali got.
	StopSignal Signal `yaml:"stopSignal"`
	// How long the node may take to stop before it is killed. Keep it below the pod's terminationGracePeriodSeconds.
	StopGracePeriod Duration `yaml:"stopGracePeriod"`
	// Send signals to the node's whole process group, not to its first process alone.
	SignalGroup bool `yaml:"signalGroup"`
	// When to start the node again after it ended by itself.
	Restart RestartPolicy `yaml:"restart"`
	// How long to wait before the first restart. Doubles with each further one.
	RestartBackoff Duration `yaml:"restartBackoff"`
	// The longest wait between restarts. A node that ran longer than this starts over with restartBackoff.
	RestartBackoffMax Duration `yaml:"restartBackoffMax"`
	// How many restarts in a row before kubevali gives up and exits. 0: no limit.
	RestartMaxTries int `yaml:"restartMaxTries" jsonschema:"minimum=0"`
	// What to do when the node turns unhealthy: nothing, stop it and start it anew, or stop it and exit.
	OnUnhealthy UnhealthyAction `yaml:"onUnhealthy"`
}

// Watchlog describes what in the node's logs tells that it is alive. A line is a sign of life when it contains a
// keyword or matches the pattern.
type Watchlog struct {
	// Watch the node's logs.
	Enabled bool `yaml:"enabled"`
	// Plain text in a line that is a sign of life.
	Keyword string `yaml:"keyword"`
	// More such texts; any of them counts.
	Keywords []string `yaml:"keywords"`
	// Plain texts that make the node unhealthy at once, until the next sign of life.
	FailKeywords []string `yaml:"failKeywords"`
	// A regular expression (RE2) whose match is a sign of life. Its named groups are reported with their last values.
	Pattern Pattern `yaml:"pattern"`
	// How old the last sign of life may be.
	LastThreshold Duration `yaml:"lastThreshold"`
	// How long the node may take to its first sign of life. 0: as long as it wants.
	StartupThreshold Duration `yaml:"startupThreshold"`
	// How often the health is reported.
	Interval Duration `yaml:"interval"`
	// Which of the node's own streams are watched: stdout, stderr.
	Streams []Stream `yaml:"streams"`
	// Log files to follow besides.
	Files []Template `yaml:"files"`
	// The check to report to: its UUID, or <ping-key>/<slug>. Empty: nothing is sent.
	HealthcheckID Template `yaml:"healthcheckID"`
	// The checks of all pods; the pod with index N reports to the Nth, from 0.
	HealthcheckIDs []string `yaml:"healthcheckIDs"`
}

// Healthchecks describes the healthchecks.io server.
type Healthchecks struct {
	// Where pings go.
	BaseURL string `yaml:"baseURL"`
	// How long one ping may take.
	Timeout Duration `yaml:"timeout"`
	// Let the server create a check it does not know; for the <ping-key>/<slug> form.
	Create bool `yaml:"create"`
	// Send the node's last log lines along.
	LogLines bool `yaml:"logLines"`
}

// Monitor describes the HTTP server behind the pod's probes.
type Monitor struct {
	// Address to listen on: ":port" or "host:port". Empty: no server.
	Listen Template `yaml:"listen"`
}

// Logging describes kubevali's own log.
type Logging struct {
	// The lowest level that is logged.
	Level LogLevel `yaml:"level"`
	// One line of text or one JSON object per entry.
	Encoding LogEncoding `yaml:"encoding"`
}

// DefaultFileMode is the mode of files that give none: what kubevali writes for the node is often a secret.
const DefaultFileMode FileMode = 0o600

// Default returns the configuration that an empty file would mean, were an empty file allowed.
func Default() Config {
	return Config{
		NodeTemplate: NodeTemplate{ArgStyle: ArgStyleSpace},
		Fleet:        Fleet{Replicas: Template{Text: "0"}},
		NodeService: NodeService{
			Type:                  ServiceNodePort,
			Owner:                 OwnerStatefulSet,
			ExternalTrafficPolicy: TrafficLocal,
			AddressTimeout:        Duration(5 * time.Minute),
		},
		Process: Process{
			StopGracePeriod:   Duration(25 * time.Second),
			Restart:           RestartNever,
			RestartBackoff:    Duration(time.Second),
			RestartBackoffMax: Duration(time.Minute),
			RestartMaxTries:   10,
			OnUnhealthy:       UnhealthyNone,
		},
		Watchlog: Watchlog{
			LastThreshold: Duration(10 * time.Minute),
			Interval:      Duration(time.Minute),
			Streams:       []Stream{Stdout, Stderr},
		},
		Healthchecks: Healthchecks{
			BaseURL:  "https://hc-ping.com",
			Timeout:  Duration(10 * time.Second),
			LogLines: true,
		},
		Monitor:    Monitor{Listen: Template{Text: ":49944"}},
		NodeStdout: Stdout,
		NodeStderr: Stdout,
		Logging:    Logging{Level: LevelInfo, Encoding: EncodingConsole},
	}
}
