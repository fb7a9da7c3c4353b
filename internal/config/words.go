package config

import (
	"slices"
	"strings"
)

// The kinds of values that are one word out of a few. Their zero values mean "not set".
type (
	// Stream is one of stdout and stderr.
	Stream string
	// ArgStyle is one of space and equals.
	ArgStyle string
	// RestartPolicy is one of never, on-failure and always.
	RestartPolicy string
	// UnhealthyAction is one of none, restart and exit.
	UnhealthyAction string
	// LogLevel is one of debug, info, warn and error.
	LogLevel string
	// LogEncoding is one of console and json.
	LogEncoding string
	// KeyScheme is one of hkdf-sha256 and rss3-sha256.
	KeyScheme string
	// KeyType is one of secp256k1 and ed25519.
	KeyType string
	// KeyFormat is one of raw, hex, cometbft-json, libp2p-protobuf, libp2p-protobuf-hex and libp2p-protobuf-base64.
	KeyFormat string
	// ExistsAction is one of fail, keep and overwrite.
	ExistsAction string
	// ServiceType is one of NodePort and LoadBalancer.
	ServiceType string
	// ServiceOwner is one of StatefulSet, Pod and None.
	ServiceOwner string
	// TrafficPolicy is one of Local and Cluster.
	TrafficPolicy string
	// Protocol is one of TCP and UDP.
	Protocol string
	// IPFamilyPolicy is one of SingleStack, PreferDualStack and RequireDualStack; empty: the cluster's own.
	IPFamilyPolicy string
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
	UnhealthyExit    UnhealthyAction = "exit"

	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"

	EncodingConsole LogEncoding = "console"
	EncodingJSON    LogEncoding = "json"

	SchemeHKDFSHA256 KeyScheme = "hkdf-sha256"
	SchemeRSS3SHA256 KeyScheme = "rss3-sha256"

	ExistsFail      ExistsAction = "fail"
	ExistsKeep      ExistsAction = "keep"
	ExistsOverwrite ExistsAction = "overwrite"

	ServiceNodePort     ServiceType = "NodePort"
	ServiceLoadBalancer ServiceType = "LoadBalancer"

	OwnerStatefulSet ServiceOwner = "StatefulSet"
	OwnerPod         ServiceOwner = "Pod"
	OwnerNone        ServiceOwner = "None"

	TrafficLocal   TrafficPolicy = "Local"
	TrafficCluster TrafficPolicy = "Cluster"

	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Words lists what may be written.
func (Stream) Words() []string { return []string{"stdout", "stderr"} }

// Words lists what may be written.
func (ArgStyle) Words() []string { return []string{"space", "equals"} }

// Words lists what may be written.
func (RestartPolicy) Words() []string { return []string{"never", "on-failure", "always"} }

// Words lists what may be written.
func (UnhealthyAction) Words() []string { return []string{"none", "restart", "exit"} }

// Words lists what may be written: the levels, and zap's higher ones, which all mean error.
func (LogLevel) Words() []string {
	return []string{"debug", "info", "warn", "error", "dpanic", "panic", "fatal"}
}

// Words lists what may be written; text is another word for console.
func (LogEncoding) Words() []string { return []string{"console", "text", "json"} }

// Words lists what may be written.
func (KeyScheme) Words() []string { return []string{"hkdf-sha256", "rss3-sha256"} }

// Words lists what may be written.
func (KeyType) Words() []string { return []string{"secp256k1", "ed25519"} }

// Words lists what may be written.
func (KeyFormat) Words() []string {
	return []string{"raw", "hex", "cometbft-json", "libp2p-protobuf", "libp2p-protobuf-hex", "libp2p-protobuf-base64"}
}

// Words lists what may be written.
func (ExistsAction) Words() []string { return []string{"fail", "keep", "overwrite"} }

// Words lists what may be written.
func (ServiceType) Words() []string { return []string{"NodePort", "LoadBalancer"} }

// Words lists what may be written.
func (ServiceOwner) Words() []string { return []string{"StatefulSet", "Pod", "None"} }

// Words lists what may be written.
func (TrafficPolicy) Words() []string { return []string{"Local", "Cluster"} }

// Words lists what may be written.
func (IPFamilyPolicy) Words() []string {
	return []string{"SingleStack", "PreferDualStack", "RequireDualStack"}
}

// Words lists what may be written.
func (Protocol) Words() []string { return []string{"TCP", "UDP"} }

// UnmarshalText reads one of the words.
func (s *Stream) UnmarshalText(text []byte) error { return word(s, string(text)) }

// UnmarshalText reads one of the words.
func (s *ArgStyle) UnmarshalText(text []byte) error { return word(s, string(text)) }

// UnmarshalText reads one of the words.
func (p *RestartPolicy) UnmarshalText(text []byte) error { return word(p, string(text)) }

// UnmarshalText reads one of the words.
func (a *UnhealthyAction) UnmarshalText(text []byte) error { return word(a, string(text)) }

// UnmarshalText reads one of the words, in any case, as zap does.
func (l *LogLevel) UnmarshalText(text []byte) error {
	if err := word(l, strings.ToLower(string(text))); err != nil {
		return err
	}
	switch *l {
	case "dpanic", "panic", "fatal":
		*l = LevelError
	}
	return nil
}

// UnmarshalText reads one of the words.
func (e *LogEncoding) UnmarshalText(text []byte) error {
	if err := word(e, string(text)); err != nil {
		return err
	}
	if *e == "text" {
		*e = EncodingConsole
	}
	return nil
}

// UnmarshalText reads one of the words.
func (s *KeyScheme) UnmarshalText(text []byte) error { return word(s, string(text)) }

// UnmarshalText reads one of the words.
func (t *KeyType) UnmarshalText(text []byte) error { return word(t, string(text)) }

// UnmarshalText reads one of the words.
func (f *KeyFormat) UnmarshalText(text []byte) error { return word(f, string(text)) }

// UnmarshalText reads one of the words.
func (a *ExistsAction) UnmarshalText(text []byte) error { return word(a, string(text)) }

// UnmarshalText reads one of the words.
func (t *ServiceType) UnmarshalText(text []byte) error { return word(t, string(text)) }

// UnmarshalText reads one of the words.
func (o *ServiceOwner) UnmarshalText(text []byte) error { return word(o, string(text)) }

// UnmarshalText reads one of the words.
func (p *TrafficPolicy) UnmarshalText(text []byte) error { return word(p, string(text)) }

// UnmarshalText reads one of the words.
func (p *IPFamilyPolicy) UnmarshalText(text []byte) error { return word(p, string(text)) }

// UnmarshalText reads one of the words.
func (p *Protocol) UnmarshalText(text []byte) error { return word(p, string(text)) }

// word sets dst to text if that is one of its words; the empty text leaves it as it is.
func word[T interface {
	~string
	Words() []string
}](dst *T, text string) error {
	words := (*dst).Words()
	switch {
	case text == "":
		return nil
	case slices.Contains(words, text):
		*dst = T(text)
		return nil
	}
	return &Error{Message: "expected " + orList(words) + ", found " + quote(text), Hint: DidYouMean(text, words)}
}
