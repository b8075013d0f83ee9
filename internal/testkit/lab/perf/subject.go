package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// subject is one way to the server: directly, or through a proxy.
type subject struct {
	name    string
	address string    // where the load connects to
	command []string  // the proxy, with its configuration; nil: none
	proxy   *exec.Cmd // while it runs
}

const (
	backendAddress = "127.0.10.90"
	port           = "7000"
	configurations = "testdata/lab/perf" // from the module's folder, where go run is called
	startTime      = 20 * time.Second

	current = "nspiproxy" // names of subjects
	earlier = "before"
)

// settings are what the configuration templates ask for.
type settings struct {
	Listen, ListenAddress, Backend, BackendAddress, Port, Folder string
	Threads, Connections, Files                                  int
}

// bench is the whole comparison.
type bench struct {
	options
	folder   string
	server   *exec.Cmd
	subjects []*subject
	results  results
}

// start runs the server and the proxies, and waits until each of them answers a request.
func (b *bench) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	backend := net.JoinHostPort(backendAddress, port)
	if b.server, err = b.launch("server", self, "-serve", backend); err != nil {
		return err
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.folder, "nspiproxy")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/nspiproxy")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building nspiproxy: %w\n%s", err, out)
		}
	}
	b.subjects = []*subject{{name: "direct", address: backend}}
	for _, p := range b.proxies() {
		file, err := b.configure(p.config, p.name, p.address)
		if err != nil {
			return err
		}
		b.subjects = append(b.subjects, &subject{
			name: p.name, address: net.JoinHostPort(p.address, port), command: append(p.command, file),
		})
	}
	for _, s := range b.subjects {
		if err := b.restart(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// contender is a proxy to measure: its configuration's template and its command,
// to which the configuration is added.
type contender struct {
	name, address, config string
	command               []string
}

func (b *bench) proxies() []contender {
	all := []contender{
		{"HAProxy", "127.0.20.91", "haproxy.cfg", []string{"haproxy", "-db", "-f"}},
		{"nginx", "127.0.20.92", "nginx.conf", []string{"nginx", "-p", b.folder, "-c"}},
		{current, "127.0.20.90", "nspiproxy.yaml", []string{b.binary, "serve", "--config"}},
	}
	if b.before != "" {
		all = append(all, contender{earlier, "127.0.20.93", "nspiproxy.yaml", []string{b.before, "serve", "--config"}})
	}
	return all
}

// restart gives s a new process, which has answered one request when restart returns.
func (b *bench) restart(ctx context.Context, s *subject) (err error) {
	s.end()
	if s.command != nil {
		if s.proxy, err = b.launch(s.name, s.command[0], s.command[1:]...); err != nil {
			return err
		}
	}
	return b.await(ctx, s)
}

// end stops the process of s, if it has one.
func (s *subject) end() {
	if s.proxy != nil {
		_ = s.proxy.Process.Signal(syscall.SIGTERM)
		_ = s.proxy.Wait()
		s.proxy = nil
	}
}

// configure fills in a template for the proxy of that name and returns the file's path.
func (b *bench) configure(config, name, listen string) (string, error) {
	t, err := template.ParseFiles(filepath.Join(configurations, config))
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.folder, name+"-"+config)
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	files := fileLimit()
	return file, t.Execute(f, settings{
		Listen: net.JoinHostPort(listen, port), ListenAddress: listen,
		Backend: net.JoinHostPort(backendAddress, port), BackendAddress: backendAddress, Port: port,
		Folder: b.folder, Threads: runtime.NumCPU(), Connections: files/2 - 200, Files: files - 100,
	})
}

// launch starts a program whose output goes to a file of its name.
func (b *bench) launch(name, program string, args ...string) (*exec.Cmd, error) {
	out, err := os.Create(filepath.Join(b.folder, name+".log"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cmd, nil
}

// await waits until a request is answered through s.
func (b *bench) await(ctx context.Context, s *subject) error {
	for end := time.Now().Add(startTime); ; time.Sleep(100 * time.Millisecond) {
		err := dialler{s.address}.do()
		if err == nil {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			out, _ := os.ReadFile(filepath.Join(b.folder, s.name+".log"))
			return fmt.Errorf("%s does not answer: %w\n%s", s.name, err, strings.TrimSpace(string(out)))
		}
	}
}

// stop ends everything that start started.
func (b *bench) stop() {
	for _, s := range b.subjects {
		s.end()
	}
	if b.server != nil {
		_ = b.server.Process.Kill()
		_ = b.server.Wait()
	}
}
