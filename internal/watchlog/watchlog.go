// Package watchlog finds in a node's log what tells how the node is.
//
// A [Matcher] finds keywords and a pattern in one stream of bytes and tells a [Sink], which knows what follows from it; a
// [Tail] remembers the last lines, and a [Follower] feeds log files to them. The package neither runs the node nor
// reports about it.
//
// Invariants: what a Matcher finds does not depend on how the stream is cut into chunks, save how many lines it counts (see
// CountLimit); its memory and that of a Follower are bounded however long a line is; no Write waits for anything but a
// mutex.
//
// # Following files
//
// A Follower decides where and when to read, and github.com/hpcloud/tail reads the lines: each time a file has grown by an
// ordinary amount, the library is started at a known offset of the file that the Follower holds open, and reads to its end.
// More, which may be one endless line, the Follower reads itself, and so it does when the library cannot. The library's own
// mode of following is not used, because no wrapper can make it exact. After a rename it drops what was written since its
// last look (every 250 ms), and a last line without newline. A file that was truncated and has outgrown its old size before
// the next look is read on from the middle; lines carry no offset, so that this cannot be told. When stat(2) fails for
// another reason than a missing file, and when no inotify instance is left on the machine, it calls os.Exit. Inotify does
// not see remote writers on a network file system. An unfinished line is read again at each change, and held in memory whole.
package watchlog

import "regexp"

// Rules say what a line of a log means. A line is a sign of life when it contains any of Keywords or matches Pattern;
// it is a failure when it contains any of FailKeywords.
//
// Keywords are plain texts, compared byte by byte with the line without its newline. Empty ones, and those that
// contain a newline, never match.
//
// Pattern sees the line without its newline and without one carriage return before it, and of that no more than
// [PatternLimit] bytes. Its named groups are the values that are reported. Nil matches nothing.
type Rules struct {
	Keywords     []string
	FailKeywords []string
	Pattern      *regexp.Regexp
}

// A Sink takes what a [Matcher] finds. It is called from within Write, in the order of the log, and must be quick.
type Sink interface {
	// Match says that so many more lines were signs of life. values holds, for each named group that took part in a
	// match since the last call, its last value, valid UTF-8 of at most [ValueLimit] bytes; it is not to be kept.
	// lines is 0 when a line counted before, for its keyword, has brought values at its end.
	Match(lines int, values map[string]string)

	// Fail says that a line contains keyword, and shows up to [ExcerptLimit] bytes of what is known of the line by
	// then, printable.
	Fail(keyword, line string)

	// Missing returns plain texts that the node has still to announce before a sign of life counts, such as its peer ID. It
	// is called before each chunk of the log is looked at.
	Missing() []string

	// Seen says that a line contains text, one of those that were missing. It comes before the line's signs of life.
	Seen(text string)
}
