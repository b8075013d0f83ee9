package kerberos

import (
	"errors"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
)

// ParseConfig reads the text of a krb5.conf. What the library does not know in it is passed
// over, where all else could be read.
func ParseConfig(text string) (conf *config.Config, err error) {
	defer func() {
		if recover() != nil {
			conf, err = nil, errors.New("it is no configuration of Kerberos")
		}
	}()
	conf, err = config.NewFromString(text)
	var unsupported config.UnsupportedDirective
	if err != nil && (conf == nil || !errors.As(err, &unsupported)) {
		return nil, err
	}
	return conf, nil
}
