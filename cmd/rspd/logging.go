package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
)

// loggingOptions are the command line's --debug family.
type loggingOptions struct {
	threads, eventLoop, remote bool
	timestamps                 bool
	file                       string
	// add puts what is written behind what another process has written to file.
	add bool
}

// logs writes what the parts of the server report. Other packages get one
// component of it each and know none of this.
type logs struct {
	logger  *logrus.Logger
	options loggingOptions
	closer  io.Closer
}

// openLogs prepares the logs. A --debug-file that can't be written is said
// on stderr, which then takes its place, as gdbserver does.
func openLogs(o loggingOptions, stderr io.Writer) *logs {
	l := &logs{logger: logrus.New(), options: o}
	l.logger.SetLevel(logrus.DebugLevel)
	l.logger.SetFormatter(lineFormat{timestamps: o.timestamps})
	l.logger.SetOutput(stderr)
	if o.file == "" {
		return l
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if !o.add {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(o.file, flags, 0o644)
	if err != nil {
		fmt.Fprintf(stderr, "Cannot open %s for writing. %s. Switching to stderr.\n", o.file, errnoText(err))
		return l
	}
	l.logger.SetOutput(file)
	l.closer = file
	return l
}

// close ends the log file, if there is one.
func (l *logs) close() error {
	if l.closer == nil {
		return nil
	}
	return l.closer.Close()
}

// component is the log of one part of the server, with slog's way of calling:
// a message, then alternating keys and values. Debug lines appear only if
// the part was asked to report; the others always do.
type component struct {
	name    string
	enabled bool
	logger  *logrus.Logger
}

// threads, eventLoop and remote are the components of --debug.
func (l *logs) threads() *component {
	return &component{"threads", l.options.threads, l.logger}
}

func (l *logs) eventLoop() *component {
	return &component{"event-loop", l.options.eventLoop, l.logger}
}

func (l *logs) remote() *component {
	return &component{"remote", l.options.remote, l.logger}
}

// Enabled reports whether Debug prints, for callers whose arguments cost.
func (c *component) Enabled() bool { return c.enabled }

// SetEnabled switches Debug and Packet on or off, as a client may ask for.
func (c *component) SetEnabled(on bool) { c.enabled = on }

// SetTimestamps puts the time before each line of every log, or not.
func (c *component) SetTimestamps(on bool) { c.logger.SetFormatter(lineFormat{timestamps: on}) }

// Debug reports a step of the work.
func (c *component) Debug(message string, args ...any) {
	if c.enabled {
		c.log(logrus.DebugLevel, message, args)
	}
}

// Info tells the person at the terminal something.
func (c *component) Info(message string, args ...any) { c.log(logrus.InfoLevel, message, args) }

// Warn tells of something that may not be what was wanted.
func (c *component) Warn(message string, args ...any) { c.log(logrus.WarnLevel, message, args) }

// Error tells of something that failed.
func (c *component) Error(message string, args ...any) { c.log(logrus.ErrorLevel, message, args) }

func (c *component) log(level logrus.Level, message string, args []any) {
	entry := logrus.NewEntry(c.logger)
	entry.Data["component"] = c.name
	entry.Data["args"] = args
	entry.Log(level, message)
}

// packetLimit is how much of one packet a trace prints, in bytes: enough for
// any request a person would read, not a megabyte of memory.
const packetLimit = 4096

// Packet prints bytes that were received from the client or sent to it,
// whole packets with their framing, if packets are to be printed at all. The
// time is always there.
func (c *component) Packet(sent bool, data []byte) {
	if !c.enabled {
		return
	}
	arrow := "<-"
	if sent {
		arrow = "->"
	}
	entry := logrus.NewEntry(c.logger)
	entry.Data["packet"] = true
	entry.Log(logrus.DebugLevel, arrow+" "+printable(data))
}

// printable shows bytes as text, those that are none as \xNN.
func printable(data []byte) string {
	shown := data[:min(len(data), packetLimit)]
	out := make([]byte, 0, len(shown)+32)
	for _, b := range shown {
		switch {
		case b == '\\':
			out = append(out, `\\`...)
		case b >= ' ' && b <= '~':
			out = append(out, b)
		default:
			out = append(out, '\\', 'x', "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15])
		}
	}
	if more := len(data) - len(shown); more > 0 {
		out = fmt.Appendf(out, "... (%d bytes more)", more)
	}
	return string(out)
}

// lineFormat is one line an entry: "[component] message key=value".
type lineFormat struct{ timestamps bool }

const timeFormat = "15:04:05.000000"

func (f lineFormat) Format(e *logrus.Entry) ([]byte, error) {
	var line bytes.Buffer
	_, packet := e.Data["packet"]
	if f.timestamps || packet {
		line.WriteString(e.Time.Format(timeFormat))
		line.WriteByte(' ')
	}
	if name, ok := e.Data["component"].(string); ok {
		line.WriteString("[" + name + "] ")
	}
	switch e.Level {
	case logrus.WarnLevel:
		line.WriteString("warning: ")
	case logrus.ErrorLevel:
		line.WriteString("error: ")
	}
	line.WriteString(e.Message)
	args, _ := e.Data["args"].([]any)
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			fmt.Fprintf(&line, " %v", args[i])
			break
		}
		fmt.Fprintf(&line, " %v=%s", args[i], logValue(args[i+1]))
	}
	line.WriteByte('\n')
	return line.Bytes(), nil
}

// logValue quotes a value that would not be read back as one word.
func logValue(v any) string {
	if d, ok := v.(time.Duration); ok {
		return d.String()
	}
	text := fmt.Sprint(v)
	for _, r := range text {
		if r <= ' ' || r == '"' || r == '=' || !strconv.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	if text == "" {
		return `""`
	}
	return text
}
