package plan_test

import (
	"testing"
)

// typicalFile is what most operators have.
const typicalFile = `
commonTemplate: |
  {{- define "nodePort" -}}{{ add 30333 .Index }}{{- end -}}
nodeTemplate:
  index: '{{ env "HOSTNAME" | splitList "-" | mustLast }}'
  command: [darwinia, --validator, --base-path, /data]
  args:
    name: '[KUBE-VALI] Development {{ printf "%02d" .Index }}'
    port: '{{ template "nodePort" . }}'
    rpc-port: '{{ add 9933 .Index }}'
    ws-port: '{{ add 9944 .Index }}'
    public-addr: '/ip4/{{ env "HOST_IP" | default "1.2.3.4" }}/tcp/{{ include "nodePort" . }}'
    out-peers: 30
  files:
    - {path: /data/jwt.hex, content: '{{ randHex 32 }}', ifNotExists: true}
watchlog:
  enabled: true
  keyword: Prepared block
  healthcheckIDs: [id-0, id-1, id-2]
`

func BenchmarkPlan(b *testing.B) {
	for _, bench := range []struct{ name, file string }{
		{"plain", "nodeTemplate: {command: [node, --validator], args: {port: 30333, name: x}}"},
		{"readme", readme},
		{"typical", typicalFile},
	} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := parse(b, bench.file)
			w := sts2()
			w.Env["HOSTNAME"] = "sts-2"
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.make(cfg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
