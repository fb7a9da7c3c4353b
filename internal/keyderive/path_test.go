package keyderive_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

func TestCheckPathRefuses(t *testing.T) {
	for path, element := range map[string]string{
		"/cometbft/config/priv_validator_key.json":    "priv_validator_key.json",
		"/cometbft/data/priv_validator_state.json":    "priv_validator_state.json",
		"priv_validator.json":                         "priv_validator.json",
		"/data/old-priv_validator_key.json":           "old-priv_validator_key.json",
		"/data/PRIV_Validator_Key.JSON":               "PRIV_Validator_Key.JSON",
		"/data/priv_validator_key.json/":              "priv_validator_key.json",
		"/data//./priv_validator_key.json/.":          "priv_validator_key.json",
		"/data/keystore/p2p.key":                      "keystore",
		"/data/chains/polkadot/keystore/6772616e80ff": "keystore",
		"/data/keystore":                              "keystore",
		"/data/KeyStore/x":                            "KeyStore",
		"/data/\u212aey\u017ftore/x":                  "\u212aey\u017ftore",
		"/keys/keystore-m_12381_3600_0_0_0.json":      "keystore-m_12381_3600_0_0_0.json",
		"/v/0x93/voting-keystore.json":                "voting-keystore.json",
		"/data/x/../keystore/p2p.key":                 "keystore",
		"/data/keystore/../p2p.key":                   "keystore",
		"/data/keystore/x/../../keystore/../../p2p":   "keystore",
		"/near/validator_key.json":                    "validator_key.json",
		"/solana/validator-keypair.json":              "validator-keypair.json",
		"/lighthouse/validators/secrets/p2p.key":      "validators",
		"validator":                                   "validator",
		"./Validator.key":                             "Validator.key",
	} {
		err := keyderive.CheckPath(path)
		if err == nil {
			t.Errorf("%s: accepted", path)
			continue
		}
		for _, want := range []string{element, "slashed", "choose another path"} {
			if !strings.Contains(hint.Line(err), want) {
				t.Errorf("%s: the error does not say %q: %v", path, want, err)
			}
		}
	}
}

func TestCheckPathAccepts(t *testing.T) {
	for _, path := range []string{
		"/data/p2p.key", "/data/geth/nodekey", "node_key.json", "/cometbft/config/node_key.json", "/data/network/secret",
		"/data/gaia-validator-0/config/node_key.json", "/data/invalidator", "/data/key/store", "/data/priv/validation.key",
		"/data/x/../p2p.key",
	} {
		if err := keyderive.CheckPath(path); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// FuzzCheckPath checks that no spelling gets a path past the refusal: one that is accepted holds none of the names, is
// accepted in its other spellings too, and not any more with a refused name put into it.
func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{
		"/data/p2p.key", "/data/../KEYSTORE/./x", "priv_validator_key.json/", "a/validator", "/\u212aeystore", "", "/", "..",
		"\xff/\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		err := keyderive.CheckPath(path)
		if err != nil {
			return
		}
		clean := filepath.Clean(path)
		lower := strings.ToLower(clean)
		if strings.Contains(lower, "keystore") || strings.Contains(lower, "priv_validator_") ||
			strings.Contains("/"+lower, "/validator") {
			t.Errorf("%q: accepted", path)
		}
		for _, same := range []string{clean, path + "/", "./" + path, strings.ToUpper(path)} {
			if err := keyderive.CheckPath(same); err != nil {
				t.Errorf("%q is accepted, but: %v", path, err)
			}
		}
		for _, name := range []string{"priv_validator_key.json", "keystore", "KeyStore", "validator.key"} {
			for _, bad := range []string{path + "/" + name, name + "/" + path, path + "/../" + name + "/."} {
				if keyderive.CheckPath(bad) == nil {
					t.Errorf("%q: accepted", bad)
				}
			}
		}
	})
}
