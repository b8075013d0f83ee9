package policy

import (
	"errors"
	"fmt"
	"os"
	slashpath "path"
)

// files checks the files that the configuration names: that they can be read,
// and secrets by nobody else.
func (v *validator) files() {
	for key, file := range v.readFiles() {
		if file != "" && !slashpath.IsAbs(string(file)) {
			v.warn(key, singleQuoted(string(file))+", from the folder in which the program is started", "an absolute path: a service is started in /")
		}
	}
	v.written("relay.connections_file", v.cfg.Relay.ConnectionsFile)
	if len(v.cfg.TransparentListeners()) > 0 {
		v.written("transparent.state_file", v.cfg.Transparent.StateFile)
	}
	for i, path := range v.cfg.Identity.Keytabs {
		v.file(fmt.Sprintf("identity.keytabs[%d]", i), path, CheckPrivate)
	}
	h := &v.cfg.Health
	v.file("health.password_file", h.PasswordFile, CheckPrivate)
	v.file("health.keytab", h.Keytab, CheckPrivate)
	if h.Auth == AuthKerberos {
		v.file("health.krb5_conf", h.Krb5Conf, checkReadable)
	}
	d := &v.cfg.Identity.Directory
	if !d.Configured() {
		return
	}
	const key = "identity.directory"
	v.file(key+".password_file", d.PasswordFile, CheckPrivate)
	v.file(key+".ca_file", d.CAFile, checkReadable)
	if d.Keytab != "" {
		v.file(key+".keytab", d.Keytab, CheckPrivate)
		v.file(key+".krb5_conf", d.Krb5Conf, checkReadable)
	}
}

// written reports what the program is to write and cannot be a file of its own.
func (v *validator) written(path string, file File) {
	if info, err := os.Lstat(string(file)); err == nil && info.IsDir() {
		v.problem(path, singleQuoted(string(file))+", a folder", "the path of a file in it: the program makes it")
	}
}

// file reports what check finds about a file.
func (v *validator) file(path string, file File, check func(string) error) {
	if file == "" {
		return
	}
	err := check(string(file))
	if err == nil {
		return
	}
	if private := (*notPrivate)(nil); errors.As(err, &private) {
		v.problem(path, fmt.Sprintf("%s, which others than its owner can use (mode %04o)", quote(string(file)), private.mode.Perm()),
			"a file for its owner alone: chmod 600")
		return
	}
	v.problem(path, quote(string(file))+" ("+reason(err)+")", "a file that can be read")
}

// reason is err without the path, which an error names anyway.
func reason(err error) string {
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return "not a regular file"
}

func checkReadable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
