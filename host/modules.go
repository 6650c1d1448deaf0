package host

import (
	"bytes"
	"crypto/md5"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"rspd/rsp"
)

// module is what LLDB's clients are told of a program's or a library's file, by
// which they find it among those that they have kept.
type module struct {
	UUID   string `json:"uuid"`
	Triple string `json:"triple"`
	Path   string `json:"file_path"`
	Offset int64  `json:"file_offset"`
	Size   int64  `json:"file_size"`
}

// describeModule reads a file. Its UUID is the build id, empty where it has none.
func describeModule(path string) (module, error) {
	opened, err := openRegular(path)
	if err != nil {
		return module{}, err
	}
	defer opened.Close()
	file, err := elf.NewFile(opened)
	if err != nil {
		return module{}, err
	}
	info, err := opened.Stat()
	if err != nil {
		return module{}, err
	}
	m := module{Triple: "x86_64--linux", Path: path, Size: info.Size()}
	if file.Machine == elf.EM_386 {
		m.Triple = "i386--linux"
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_NOTE || segment.Filesz > maxNotes {
			continue
		}
		notes := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(notes, 0); err != nil {
			continue
		}
		if id := buildID(notes, file.ByteOrder); id != nil {
			m.UUID = strings.ToUpper(hex.EncodeToString(id))
			break
		}
	}
	return m, nil
}

// maxNotes is the most bytes of notes that are looked at.
const maxNotes = 1 << 20

// buildID finds the NT_GNU_BUILD_ID among notes (System V ABI, "Note Section";
// names and descriptions are padded to four bytes on Linux).
func buildID(notes []byte, order binary.ByteOrder) []byte {
	const header, gnuBuildID = 12, 3
	for len(notes) >= header {
		nameSize, size, kind := order.Uint32(notes), order.Uint32(notes[4:]), order.Uint32(notes[8:])
		notes = notes[header:]
		name, rest, ok := cutPadded(notes, nameSize)
		if !ok {
			return nil
		}
		content, rest, ok := cutPadded(rest, size)
		if !ok {
			return nil
		}
		if kind == gnuBuildID && bytes.Equal(name, []byte("GNU\x00")) {
			return content
		}
		notes = rest
	}
	return nil
}

// cutPadded cuts some bytes and what pads them.
func cutPadded(data []byte, size uint32) (cut, rest []byte, ok bool) {
	if uint64(size) > uint64(len(data)) {
		return nil, nil, false
	}
	padded := min((uint64(size)+3)&^3, uint64(len(data)))
	return data[:size], data[padded:], true
}

// moduleInfo answers qModuleInfo.
func moduleInfo(_ *Client, request *rsp.ModuleInfo) (rsp.Reply, error) {
	m, err := describeModule(request.Path)
	if err != nil {
		return nil, coded(codeNotDescribable, "%s cannot be described: %v", request.Path, err)
	}
	identity := rsp.KeyValue{Key: "uuid", Value: rsp.HexText(m.UUID)}
	if m.UUID == "" {
		sum, err := checksum(request.Path)
		if err != nil {
			return nil, coded(codeNotDescribable, "%s cannot be read: %v", request.Path, err)
		}
		identity = rsp.KeyValue{Key: "md5", Value: rsp.HexText(sum)}
	}
	return rsp.KeyValues{
		identity,
		{Key: "triple", Value: rsp.HexText(m.Triple)},
		{Key: "file_path", Value: rsp.HexText(m.Path)},
		{Key: "file_offset", Value: strconv.FormatInt(m.Offset, 16)},
		{Key: "file_size", Value: strconv.FormatInt(m.Size, 16)},
	}, nil
}

// checksum is the MD5 sum of a file in hex.
func checksum(path string) (string, error) {
	file, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// modulesInfo answers jModulesInfo. Files that cannot be described are left out,
// and so are those without a build id, which lldb takes by nothing else here.
func modulesInfo(_ *Client, request *rsp.ModulesInfo) (rsp.Reply, error) {
	var asked []struct {
		File string `json:"file"`
	}
	if err := json.Unmarshal(request.JSON, &asked); err != nil {
		return nil, fmt.Errorf("the list of modules is not understood: %w", err)
	}
	found := []module{}
	for _, one := range asked {
		if m, err := describeModule(one.File); err == nil && m.UUID != "" {
			found = append(found, m)
		}
	}
	return document(found)
}
