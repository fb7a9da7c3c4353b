package keyderive

import (
	"fmt"
	"strings"
)

// CheckPath refuses a path where a consensus, validator or block-signing key would stand: one with an element, that is a
// file or folder, whose name holds priv_validator (CometBFT) or keystore (Ethereum's clients, Substrate), or begins
// with validator (NEAR, Solana, the validators folder of Ethereum's clients), in upper or lower case. Elements that a
// .. takes back count too, as behind a symbolic link they may not be taken back. Links themselves it cannot see: a
// caller who follows them asks again for what they lead to.
//
// P2P keys may be derived because two nodes with one such key are a nuisance. Two nodes with one signing key sign twice,
// and are slashed for it.
func CheckPath(path string) error {
	for element := range strings.SplitSeq(path, "/") {
		// Upper case first: the letters that are an s or a k only for case-insensitive file systems become one by it.
		name := strings.ToLower(strings.ToUpper(element))
		signing := strings.Contains(name, "priv_validator") || strings.Contains(name, "keystore") ||
			strings.HasPrefix(name, "validator")
		if signing {
			return fmt.Errorf("path %q: %q is a name for consensus or validator signing keys, and these are never derived or "+
				"written, as two nodes that sign with one key are slashed; choose another path", path, element)
		}
	}
	return nil
}
