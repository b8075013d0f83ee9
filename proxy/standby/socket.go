package standby

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Result is what became of the connections.
type Result struct {
	Ended   int `json:"ended"`
	Waiting int `json:"waiting"` // until their domain controllers can be reached
}

// answerTime is how long a call may take: a program that hangs must not hang the
// program that calls, which moves addresses.
const answerTime = 5 * time.Second

// path is the resource of the socket. Others may follow: it speaks HTTP.
const path = "/standby"

// Socket answers the command standby. Nobody but the user that the program runs as,
// and root, may give it.
type Socket struct{ server *http.Server }

// Listen opens the socket, a file that is removed by Close. One that a killed program has
// left is replaced, one that another program answers on is not. begin is called for each
// command, and must return soon after its context has ended.
func Listen(file string, begin func(context.Context) (Result, error)) (*Socket, error) {
	if err := removeLeft(file); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(file, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, begin) })
	s := &Socket{server: &http.Server{
		Handler: mux, ReadTimeout: answerTime, WriteTimeout: 2 * answerTime, MaxHeaderBytes: 4 << 10, ConnState: refuseOthers,
	}}
	go s.serve(l)
	return s, nil
}

func (s *Socket) serve(l net.Listener) { _ = s.server.Serve(l) } // ends with Close

// Close removes the socket.
func (s *Socket) Close() { _ = s.server.Close() }

// removeLeft removes a socket that nobody answers on.
func removeLeft(file string) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is not a socket", file)
	}
	if c, err := net.Dial("unix", file); err == nil {
		_ = c.Close()
		return fmt.Errorf("another program answers on %s", file)
	}
	return os.Remove(file)
}

// refuseOthers closes connections of other users: the mode of the file is set only after
// it exists.
func refuseOthers(c net.Conn, state http.ConnState) {
	if state == http.StateNew && !mayAsk(c) {
		_ = c.Close()
	}
}

// answer does what a command asks for.
func answer(w http.ResponseWriter, r *http.Request, begin func(context.Context) (Result, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	result, err := begin(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // the caller may have gone
}

// Call gives the command to the program that listens on the socket.
func Call(ctx context.Context, file string) (r Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", file)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://nspiproxy"+path, nil)
	if err != nil {
		return r, err
	}
	response, err := client.Do(request)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return r, fmt.Errorf("the program answers %s", response.Status)
	}
	return r, json.NewDecoder(response.Body).Decode(&r)
}
