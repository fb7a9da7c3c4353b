package supervise

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// catch has received called with each of the signals that comes in, in the order of their delivery, one at a time, until
// release is called, which waits for the last call. SIGPIPE among them means that writing to a closed stdout does not end
// this process: Go does so unless the signal is caught, and a child would inherit that it is ignored.
//
// Package signal is the plain way to do it, and the slow one: for each signal it wakes a thread of the runtime and waits
// for it, which takes a supervisor of all signals a millisecond, as long as everything else that it does before the child's
// start. So handle comes first, where it can.
func catch(signals []syscall.Signal, received func(syscall.Signal)) (release func()) {
	if release, ok := handle(signals, received); ok {
		return release
	}
	return notify(signals, received)
}

// notify is catch by way of package signal.
func notify(signals []syscall.Signal, received func(syscall.Signal)) (release func()) {
	in := make(chan os.Signal, 256)
	for _, sig := range signals {
		signal.Notify(in, sig)
	}
	var relay sync.WaitGroup
	relay.Go(func() {
		for sig := range in {
			received(sig.(syscall.Signal))
		}
	})
	return func() {
		signal.Stop(in)
		close(in)
		relay.Wait()
	}
}
