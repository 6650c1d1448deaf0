package libraries

import (
	"fmt"
	"strconv"
	"strings"
)

// arguments are those of the augmented form of the packet: addresses of the
// struct link_map to start from and of the one before it, and the number of
// the namespace they are in.
type arguments struct{ start, prev, lmid uint64 }

// parseAnnex takes "name=value" separated by ";", with values in hexadecimal
// without a prefix.
func parseAnnex(annex string) (arguments, error) {
	var a arguments
	for argument := range strings.SplitSeq(annex, ";") {
		name, value, _ := strings.Cut(argument, "=")
		var address *uint64
		switch name {
		case "start":
			address = &a.start
		case "prev":
			address = &a.prev
		case "lmid":
			address = &a.lmid
		default:
			continue
		}
		n, err := strconv.ParseUint(value, 16, 64)
		if err != nil {
			return arguments{}, fmt.Errorf("the argument %q of the library list is not an address in hexadecimal", argument)
		}
		*address = n
	}
	return a, nil
}
