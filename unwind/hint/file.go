package hint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"rspd/unwind"
	"rspd/unwind/cfi"
)

// The limits of what is read.
const (
	maxFile    = 64 << 20 // bytes
	maxPatches = 1 << 16
	maxRows    = 1 << 12 // of one patch
	maxAll     = 1 << 20 // rows of all patches
)

// Version is the version of the file and of the table.
const Version = 1

type file struct {
	Version int         `json:"version"`
	Patches []filePatch `json:"patches"`
}

type filePatch struct {
	Site   address    `json:"site"`
	Length int        `json:"length"`
	Entry  address    `json:"entry"`
	Stub   [2]address `json:"stub"`
	Return address    `json:"return"`
	Rows   []fileRow  `json:"rows"`
}

type fileRow struct {
	Start     address           `json:"start"`
	End       address           `json:"end"`
	CFA       string            `json:"cfa"`
	Registers map[string]string `json:"registers"`
}

// An address is a number, or a string with one.
type address uint64

func (a *address) UnmarshalJSON(b []byte) error {
	text := string(b)
	var quoted string
	if json.Unmarshal(b, &quoted) == nil {
		text = quoted
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return fmt.Errorf("%.40s is no address", b)
	}
	*a = address(n)
	return nil
}

// Parse reads a file of hints. The error says why the whole can't be read;
// warnings tell which patches were left out.
func Parse(r io.Reader) ([]unwind.Hint, []unwind.Warning, error) {
	limited := &io.LimitedReader{R: r, N: maxFile}
	decoder := json.NewDecoder(limited)
	decoder.DisallowUnknownFields()
	var f file
	err := decoder.Decode(&f)
	switch {
	case limited.N == 0:
		return nil, nil, fmt.Errorf("the file of jump patches has more than %d bytes", maxFile)
	case err != nil:
		return nil, nil, fmt.Errorf("the file of jump patches can't be read: %w", err)
	case f.Version != Version:
		return nil, nil, fmt.Errorf("the file of jump patches has version %d; %d is understood", f.Version, Version)
	case len(f.Patches) > maxPatches:
		return nil, nil, fmt.Errorf("the file has %d jump patches; %d is the most", len(f.Patches), maxPatches)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("the file of jump patches goes on after its end")
	}
	c := &collector{}
	for _, p := range f.Patches {
		hint, err := p.hint()
		c.add(hint, err)
	}
	hints := c.finish()
	return hints, c.warnings, nil
}

func (p filePatch) hint() (unwind.Hint, error) {
	h := unwind.Hint{
		Site: uint64(p.Site), Length: p.Length, Entry: uint64(p.Entry), Return: uint64(p.Return),
		Stub: unwind.Extent{Start: uint64(p.Stub[0]), End: uint64(p.Stub[1])},
	}
	if len(p.Rows) > maxRows {
		return h, fmt.Errorf("it has %d rows; %d is the most", len(p.Rows), maxRows)
	}
	for _, r := range p.Rows {
		row := cfi.Row{Start: uint64(r.Start), End: uint64(r.End)}
		var err error
		if row.CFA, err = Rule(r.CFA, true); err != nil {
			return h, err
		}
		for name, text := range r.Registers {
			register, err := registerNamed(name)
			if err != nil {
				return h, err
			}
			if row.Rules[register], err = Rule(text, false); err != nil {
				return h, err
			}
		}
		h.Rows = append(h.Rows, row)
	}
	return h, nil
}

func registerNamed(name string) (cfi.Register, error) {
	for r := cfi.Register(0); r < cfi.RIP; r++ {
		if r.String() == name && r != cfi.RSP {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%.20q is no register that a row can have a rule for", name)
}
