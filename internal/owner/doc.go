// Package owner gives files of the program's state to whom their folder belongs: a run as
// root must not leave files there that the service's own user cannot open.
package owner
