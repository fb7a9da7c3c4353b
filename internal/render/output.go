package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// The plan as JSON. Secrets are left out or cut short.
type (
	planJSON struct {
		Pod        string            `json:"pod"`
		Namespace  string            `json:"namespace"`
		Index      *int              `json:"index"`
		Command    []string          `json:"command"`
		Env        map[string]string `json:"env"`
		UnsetEnv   []string          `json:"unsetEnv"`
		WorkingDir string            `json:"workingDir"`
		Files      []fileJSON        `json:"files"`
		Keys       []keyJSON         `json:"keys"`
		Service    *serviceJSON      `json:"service"`
		Process    processJSON       `json:"process"`
		Watchlog   *watchlogJSON     `json:"watchlog"`
		Monitor    monitorJSON       `json:"monitor"`
	}
	fileJSON struct {
		Path        string  `json:"path"`
		Mode        string  `json:"mode"`
		IfNotExists bool    `json:"ifNotExists"`
		Size        int     `json:"size"`
		Content     *string `json:"content,omitempty"`
	}
	keyJSON struct {
		Name        string            `json:"name"`
		Path        string            `json:"path"`
		Type        keyderive.Type    `json:"type"`
		Format      keyderive.Format  `json:"format"`
		Mode        string            `json:"mode"`
		Owner       string            `json:"owner"`
		IfExists    keyfile.IfExists  `json:"ifExists"`
		PublicID    string            `json:"publicID"`
		Public      *keyderive.Public `json:"public"`
		ExpectInLog string            `json:"expectInLog"`
	}
	serviceJSON struct {
		Name                  string                `json:"name"`
		Type                  config.ServiceType    `json:"type"`
		NodePort              int                   `json:"nodePort"` // of the first port; 0: the cluster chooses
		Ports                 []servicePortJSON     `json:"ports"`
		Owner                 config.ServiceOwner   `json:"owner"`
		ExternalTrafficPolicy config.TrafficPolicy  `json:"externalTrafficPolicy"`
		IPFamilyPolicy        config.IPFamilyPolicy `json:"ipFamilyPolicy"`
		LoadBalancerClass     string                `json:"loadBalancerClass"`
		Labels                map[string]string     `json:"labels"`
		Annotations           map[string]string     `json:"annotations"`
		AddressTimeout        string                `json:"addressTimeout"`
		ForceUpdate           bool                  `json:"forceUpdate"`
	}
	servicePortJSON struct {
		Name       string          `json:"name"`
		Protocol   config.Protocol `json:"protocol"`
		Port       int             `json:"port"`
		NodePort   int             `json:"nodePort"`
		TargetPort int             `json:"targetPort"`
	}
	processJSON struct {
		StopSignal        string                 `json:"stopSignal"`
		StopGracePeriod   string                 `json:"stopGracePeriod"`
		SignalGroup       bool                   `json:"signalGroup"`
		Restart           config.RestartPolicy   `json:"restart"`
		RestartBackoff    string                 `json:"restartBackoff"`
		RestartBackoffMax string                 `json:"restartBackoffMax"`
		RestartMaxTries   int                    `json:"restartMaxTries"`
		OnUnhealthy       config.UnhealthyAction `json:"onUnhealthy"`
	}
	watchlogJSON struct {
		Keywords         []string        `json:"keywords"`
		FailKeywords     []string        `json:"failKeywords"`
		Pattern          string          `json:"pattern"`
		LastThreshold    string          `json:"lastThreshold"`
		StartupThreshold string          `json:"startupThreshold"`
		Interval         string          `json:"interval"`
		Streams          []config.Stream `json:"streams"`
		Files            []string        `json:"files"`
		HealthcheckID    string          `json:"healthcheckID"`
	}
	monitorJSON struct {
		Listen string `json:"listen"`
	}
)

// MarshalJSON is the plan for programs: durations and modes as they are written in a configuration, no key ever missing
// and no list ever null. The content of files that others may not read, or that are written only once, is left out;
// healthcheck IDs are cut to their first four characters.
func (p *Plan) MarshalJSON() ([]byte, error) {
	env := make(map[string]string, len(p.Env))
	for _, v := range p.Env {
		env[v.Name] = v.Value
	}
	files := make([]fileJSON, len(p.Files))
	for i, f := range p.Files {
		files[i] = f.json()
	}
	keys := make([]keyJSON, len(p.Keys))
	for i, k := range p.Keys {
		keys[i] = k.json()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(planJSON{
		Pod:        p.Pod,
		Namespace:  p.Namespace,
		Index:      p.Index,
		Command:    p.Command,
		Env:        env,
		UnsetEnv:   list(p.UnsetEnv),
		WorkingDir: p.WorkingDir,
		Files:      files,
		Keys:       keys,
		Service:    p.Service.json(),
		Process:    p.Process.json(),
		Watchlog:   p.Watchlog.json(),
		Monitor:    monitorJSON(p.Monitor),
	})
	return buf.Bytes(), err
}

func (f File) json() fileJSON {
	j := fileJSON{Path: f.Path, Mode: octal(f.Mode), IfNotExists: f.IfNotExists, Size: len(f.Content)}
	if !f.private() && utf8.Valid(f.Content) {
		content := string(f.Content)
		j.Content = &content
	}
	return j
}

// json shows of a key what the world may know. Its ID is the one that keys of both types have.
func (k Key) json() keyJSON {
	j := keyJSON{
		Name:        k.Name,
		Path:        k.Path,
		Type:        k.Type,
		Format:      k.Format,
		Mode:        octal(k.Mode),
		Owner:       k.owner(),
		IfExists:    k.IfExists,
		PublicID:    k.Public.PeerID,
		ExpectInLog: k.ExpectInLog,
	}
	if k.Public != (keyderive.Public{}) {
		j.Public = &k.Public
	}
	return j
}

// owner is uid:gid, or nothing where the file's owner is left alone.
func (k Key) owner() string {
	if k.Owner == nil {
		return ""
	}
	return config.Owner{UID: k.Owner.UID, GID: k.Owner.GID, IsSet: true}.String()
}

func (s *Service) json() *serviceJSON {
	if s == nil {
		return nil
	}
	ports := make([]servicePortJSON, len(s.Ports))
	for i, port := range s.Ports {
		ports[i] = servicePortJSON(port)
	}
	return &serviceJSON{
		Name:                  s.Name,
		Type:                  s.Type,
		NodePort:              s.Ports[0].NodePort,
		Ports:                 ports,
		Owner:                 s.Owner,
		ExternalTrafficPolicy: s.ExternalTrafficPolicy,
		IPFamilyPolicy:        s.IPFamilyPolicy,
		LoadBalancerClass:     s.LoadBalancerClass,
		Labels:                s.Labels,
		Annotations:           s.Annotations,
		AddressTimeout:        duration(s.AddressTimeout),
		ForceUpdate:           s.ForceUpdate,
	}
}

func (c Process) json() processJSON {
	return processJSON{
		StopSignal:        config.Signal(c.StopSignal).String(),
		StopGracePeriod:   duration(c.StopGracePeriod),
		SignalGroup:       c.SignalGroup,
		Restart:           c.Restart,
		RestartBackoff:    duration(c.RestartBackoff),
		RestartBackoffMax: duration(c.RestartBackoffMax),
		RestartMaxTries:   c.RestartMaxTries,
		OnUnhealthy:       c.OnUnhealthy,
	}
}

func (w *Watchlog) json() *watchlogJSON {
	if w == nil {
		return nil
	}
	pattern := ""
	if w.Pattern != nil {
		pattern = w.Pattern.String()
	}
	return &watchlogJSON{
		Keywords:         list(w.Keywords),
		FailKeywords:     list(w.FailKeywords),
		Pattern:          pattern,
		LastThreshold:    duration(w.LastThreshold),
		StartupThreshold: duration(w.StartupThreshold),
		Interval:         duration(w.Interval),
		Streams:          list(w.Streams),
		Files:            list(w.Files),
		HealthcheckID:    masked(w.HealthcheckID),
	}
}

func octal(mode fs.FileMode) string { return config.FileMode(mode).String() }

func duration(d time.Duration) string { return config.Duration(d).String() }

// list is never nil, which JSON has as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// masked shows as much of a secret as is needed to tell it from others.
func masked(secret string) string {
	const shown = 4
	runes := []rune(secret)
	if len(runes) == 0 {
		return ""
	}
	if len(runes) <= 2*shown {
		return "…"
	}
	return string(runes[:shown]) + "…"
}

// WriteText writes the plan for people: what a comment can say, and then the command, so that the whole is a shell script
// that runs nothing but the command. Secrets are left out as in MarshalJSON.
func (p *Plan) WriteText(w io.Writer) error {
	var b bytes.Buffer
	pod, index := "unknown", "none"
	if p.Pod != "" {
		pod = printed(p.Pod)
	}
	if p.Index != nil {
		index = strconv.Itoa(*p.Index)
	}
	fmt.Fprintf(&b, "# pod %s, namespace %s, index %s\n", pod, printed(p.Namespace), index)
	for _, v := range p.Env {
		fmt.Fprintf(&b, "# env %s=%s\n", printed(v.Name), strconv.Quote(v.Value))
	}
	for _, name := range p.UnsetEnv {
		fmt.Fprintf(&b, "# without env %s\n", printed(name))
	}
	if p.WorkingDir != "" {
		fmt.Fprintf(&b, "# in %s\n", printed(p.WorkingDir))
	}
	for _, f := range p.Files {
		f.writeText(&b)
	}
	for _, k := range p.Keys {
		k.writeText(&b)
	}
	p.Service.writeText(&b)
	p.Watchlog.writeText(&b)
	if p.Monitor.Listen != "" {
		fmt.Fprintf(&b, "# probes at %s\n", printed(p.Monitor.Listen))
	}
	b.WriteString(p.ShellCommand() + "\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (f File) writeText(b *bytes.Buffer) {
	once := ""
	if f.IfNotExists {
		once = ", only if there is none"
	}
	fmt.Fprintf(b, "# file %s (%s, %d bytes%s)\n", printed(f.Path), octal(f.Mode), len(f.Content), once)
	if f.private() || !utf8.Valid(f.Content) {
		return
	}
	for line := range strings.Lines(string(f.Content)) {
		fmt.Fprintf(b, "#   | %s\n", printed(strings.TrimSuffix(line, "\n")))
	}
}

func (k Key) writeText(b *bytes.Buffer) {
	fmt.Fprintf(b, "# key %s in %s (%s, %s, %s", printed(k.Name), printed(k.Path), k.Type, k.Format, octal(k.Mode))
	if k.Owner != nil {
		fmt.Fprintf(b, ", %s", k.owner())
	}
	b.WriteString(")")
	if k.Public.PeerID != "" {
		fmt.Fprintf(b, " for peer ID %s", k.Public.PeerID)
	}
	if k.ExpectInLog != "" {
		fmt.Fprintf(b, ", expecting %q", k.ExpectInLog)
	}
	b.WriteString("\n")
}

func (s *Service) writeText(b *bytes.Buffer) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "# service %s (%s):", printed(s.Name), s.Type)
	for i, port := range s.Ports {
		if i > 0 {
			b.WriteString(",")
		}
		nodePort := "a node port that the cluster chooses"
		if port.NodePort != 0 {
			nodePort = fmt.Sprintf("node port %d", port.NodePort)
		}
		fmt.Fprintf(b, " %s %d/%s on %s", port.Name, port.Port, port.Protocol, nodePort)
	}
	b.WriteString("\n")
}

func (w *Watchlog) writeText(b *bytes.Buffer) {
	if w == nil {
		return
	}
	b.WriteString("# watchlog")
	for _, keyword := range w.Keywords {
		fmt.Fprintf(b, " %q", keyword)
	}
	if w.Pattern != nil {
		fmt.Fprintf(b, " matching %q", w.Pattern)
	}
	for _, keyword := range w.FailKeywords {
		fmt.Fprintf(b, ", failing on %q", keyword)
	}
	fmt.Fprintf(b, ", at least every %s", duration(w.LastThreshold))
	if w.HealthcheckID != "" {
		fmt.Fprintf(b, ", healthcheck %s", printed(masked(w.HealthcheckID)))
	}
	b.WriteString("\n")
}

// printed is a text as part of a comment: as it is, unless a control character or the like would end the comment or
// upset the terminal.
func printed(text string) string {
	unprintable := func(r rune) bool { return r != '\t' && !strconv.IsPrint(r) }
	if strings.ContainsFunc(text, unprintable) || !utf8.ValidString(text) {
		return strconv.Quote(text)
	}
	return text
}
