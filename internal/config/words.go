package config

import "strings"

// The kinds of values that are one word out of a few, see their Words. Their zero values mean "not set".
type (
	Stream          string // of a process: where it writes
	ArgStyle        string // how a flag and its value are joined
	RestartPolicy   string // when a node that ended is started anew
	UnhealthyAction string // what becomes of a node that is unhealthy
	LogLevel        string // of kubevali's own log
	LogEncoding     string // of kubevali's own log
	ServiceType     string // of Kubernetes
	ServiceOwner    string // with what a Service goes away
	TrafficPolicy   string // of a Service, for traffic from outside of the cluster
	IPFamilyPolicy  string // of a Service; not set: the cluster's own
	Protocol        string // of a Service's port
)

const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"

	ArgStyleSpace  ArgStyle = "space"
	ArgStyleEquals ArgStyle = "equals"

	RestartNever     RestartPolicy = "never"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartAlways    RestartPolicy = "always"

	UnhealthyNone    UnhealthyAction = "none"
	UnhealthyRestart UnhealthyAction = "restart"

	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"

	EncodingConsole LogEncoding = "console"
	EncodingJSON    LogEncoding = "json"

	ServiceNodePort     ServiceType = "NodePort"
	ServiceLoadBalancer ServiceType = "LoadBalancer"

	TrafficLocal TrafficPolicy = "Local"

	TCP Protocol = "TCP"
)

// The methods called Words list what may be written.

func (Stream) Words() []string          { return []string{"stdout", "stderr"} }
func (ArgStyle) Words() []string        { return []string{"space", "equals"} }
func (RestartPolicy) Words() []string   { return []string{"never", "on-failure", "always"} }
func (UnhealthyAction) Words() []string { return []string{"none", "restart", "exit"} }
func (ServiceType) Words() []string     { return []string{"NodePort", "LoadBalancer"} }
func (ServiceOwner) Words() []string    { return []string{"StatefulSet", "Pod", "None"} }
func (TrafficPolicy) Words() []string   { return []string{"Local", "Cluster"} }
func (Protocol) Words() []string        { return []string{"TCP", "UDP"} }
func (LogEncoding) Words() []string     { return []string{"console", "text", "json"} }

func (IPFamilyPolicy) Words() []string {
	return []string{"SingleStack", "PreferDualStack", "RequireDualStack"}
}

func (LogLevel) Words() []string {
	return []string{"debug", "info", "warn", "error", "dpanic", "panic", "fatal"}
}

// canonical takes any case, as zap does, and zap's higher levels, which all mean error.
func (LogLevel) canonical(word string) string {
	switch word = strings.ToLower(word); word {
	case "dpanic", "panic", "fatal":
		return string(LevelError)
	}
	return word
}

// canonical takes text for another word for console.
func (LogEncoding) canonical(word string) string {
	if word == "text" {
		return string(EncodingConsole)
	}
	return word
}
