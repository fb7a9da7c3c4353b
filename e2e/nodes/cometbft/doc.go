// Package cometbft holds nothing: the tool line of its go.mod pins the CometBFT that the tests run.
package cometbft
