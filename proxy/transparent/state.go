package transparent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
)

// stateVersion is the version of the state file's form.
const stateVersion = 1

// maxState is the greatest size of a state file in bytes: maxPorts ports, each
// of an address of its own, are 300 KiB.
const maxState = 1 << 20

// state is the state file: which ports are known, by address in order.
type state struct {
	Version int            `json:"version"`
	Ports   []addressPorts `json:"ports"`
}

// addressPorts is what is known of one domain controller.
type addressPorts struct {
	Address netip.Addr `json:"address"`
	Ports   []uint16   `json:"ports"`
}

// encodeState returns the state file for ports in order.
func encodeState(ports []netip.AddrPort) []byte {
	s := state{Version: stateVersion, Ports: []addressPorts{}}
	for _, p := range ports {
		last := len(s.Ports) - 1
		if last < 0 || s.Ports[last].Address != p.Addr() {
			s.Ports = append(s.Ports, addressPorts{Address: p.Addr()})
			last++
		}
		s.Ports[last].Ports = append(s.Ports[last].Ports, p.Port())
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // addresses and numbers can be encoded
	}
	return append(text, '\n')
}

// decodeState reads a state file into a new store. An error says nothing of what
// is in the file: it may be another one.
func decodeState(text []byte) (*Ports, error) {
	var version struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(text, &version) != nil {
		return nil, errors.New("it is damaged, or no state file")
	}
	if version.Version != stateVersion {
		return nil, fmt.Errorf("it has version %d, this program writes %d", version.Version, stateVersion)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var s state
	if d.Decode(&s) != nil {
		return nil, errors.New("it is no state file of this version")
	}
	p := newPorts()
	for _, a := range s.Ports {
		for _, port := range a.Ports {
			ap := netip.AddrPortFrom(a.Address, port)
			if err := checkEndpoint(ap); err != nil {
				return nil, err
			}
			if isNew, err := p.add(ap); err != nil {
				return nil, err
			} else if !isNew {
				return nil, fmt.Errorf("%s is in it twice", ap)
			}
		}
	}
	return p, nil
}

// ReadPorts returns the ports in a state file, in order; none if there is no
// such file. The error says what to do about a file that cannot be used.
func ReadPorts(path string) ([]netip.AddrPort, error) {
	p, err := readState(path)
	if err != nil {
		return nil, fmt.Errorf("state file %s: %w; the ports in it are learnt anew once it is removed", path, err)
	}
	return p.List(), nil
}

// readState reads a state file, which need not exist.
func readState(path string) (*Ports, error) {
	text, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newPorts(), nil
	}
	if err != nil {
		return nil, err
	}
	return decodeState(text)
}

// readRegular reads a regular file. A link is none: the file is looked for in a
// folder where an ordinary user may put one to what only root can read.
func readRegular(path string) ([]byte, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !before.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(before, opened) {
		return nil, errors.New("it was exchanged while it was opened")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxState {
		return nil, fmt.Errorf("it has more than %d bytes", maxState)
	}
	return text, nil
}

// reason is err without the path, which is named anyway.
func reason(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
