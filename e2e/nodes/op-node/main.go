// Command op-node reads a key file with op-node's own code for its flag --p2p.priv.path, and prints whose it is:
//
//	op-node --p2p.priv.path FILE
package main

import (
	"fmt"
	"os"

	"github.com/ethereum-optimism/optimism/op-node/flags"
	p2pcli "github.com/ethereum-optimism/optimism/op-node/p2p/cli"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/urfave/cli/v2"
)

// blockTime is in seconds, for the scores of peers, which do not matter here.
const blockTime = 2

func main() {
	app := &cli.App{Flags: flags.P2PFlags("OP_NODE"), Action: printPeerID}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func printPeerID(ctx *cli.Context) error {
	config, err := p2pcli.NewConfig(ctx, blockTime)
	if err != nil {
		return err
	}
	id, err := peer.IDFromPrivateKey(config.Priv)
	if err != nil {
		return err
	}
	fmt.Println(id)
	return nil
}
