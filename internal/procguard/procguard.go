// Package procguard keeps what this process knows from other processes of the same user, of which the node is one. It
// does not encrypt or lock memory, and root with all capabilities sees everything anyway.
//
// Off Linux both functions fail with errors.ErrUnsupported and change nothing.
package procguard
