// Package transparent is what the kernel has to do so that connections of clients come to transparent listeners.
package transparent
