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
// ordinary amount, the library is started at a known offset of the file that the Follower holds open, and reads to its
// end. Its own mode of following is not used, because no wrapper can make that mode exact:
//
//   - After a rename it opens the new file without having read the old one to its end. What was written between its
//     last look (every 250 ms) and the rename is lost, and so is a last line without newline.
//   - A file that is truncated and has outgrown its old size before the next look is read on from the middle.
//     Lines carry no offset, so that a wrapper cannot tell which of them are affected.
//   - A file that is renamed before the library's watcher has been set up on it is never seen to change again.
//   - When stat(2) fails for another reason than a missing file (a permission, a dead network file system), and when
//     no inotify instance is left on the machine, it calls os.Exit. The logger it is given has no say in this.
//   - Its inotify mode keeps one watcher for the life of the process, handles one event for each write, and sees
//     nothing of remote writers on a network file system.
//   - An unfinished line is read again from its start at each change, and held in memory whole.
//
// Reading to the end of the file has none of these faults, save the last: more than an ordinary amount the Follower reads
// itself, and so it does when the library cannot.
package watchlog

import "regexp"

// Rules say what a line of a log means. A line is a sign of life when it contains any of Keywords or matches Pattern;
// it is a failure when it contains any of FailKeywords.
//
// Keywords are plain texts, compared byte by byte with the line without its newline. Empty ones, and those that
// contain a newline, never match.
//
// Expect holds plain texts too, such as the peer ID that a node announces when it starts. Each must have been part of a
// line, on any stream or in any file, since the node was started, before a sign of life counts.
//
// Pattern sees the line without its newline and without one carriage return before it, and of that no more than
// [PatternLimit] bytes. Its named groups are the values that are reported. Nil matches nothing.
type Rules struct {
	Keywords     []string
	FailKeywords []string
	Expect       []string
	Pattern      *regexp.Regexp
}

// A Sink takes what a [Matcher] finds. It is called from within Write, in the order of the log, and must be quick.
type Sink interface {
	// Match says that so many more lines were signs of life. values holds, for each named group that took part in a
	// match since the last call, its last value, valid UTF-8 of at most [ValueLimit] bytes; nil when there is none.
	// lines is 0 when a line counted before, for its keyword, has brought values at its end.
	Match(lines int, values map[string]string)

	// Fail says that a line contains keyword, and shows up to [ExcerptLimit] bytes of what is known of the line by
	// then, printable.
	Fail(keyword, line string)

	// Expect says that texts, which are the same whenever it is called, must be seen before a sign of life counts, and
	// returns those that have not been seen since the node was started. It is called before each chunk of the log is
	// looked at, unless there are none.
	Expect(texts []string) (missing []string)

	// Seen says that a line contains text, one of those that were missing.
	Seen(text string)
}
