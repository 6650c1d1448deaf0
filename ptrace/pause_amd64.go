package ptrace

// pause executes the PAUSE instruction a number of times, at least once: a
// loop that asks again and again keeps the locks that it asks under free
// meanwhile.
func pause(times uint32)
