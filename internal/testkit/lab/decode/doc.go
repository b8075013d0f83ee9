// Package decode compares nspiproxy decode with tshark, field by field, on every capture of the collection.
package decode
