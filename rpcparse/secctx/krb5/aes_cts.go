package krb5

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

var zeroBlock [aes.BlockSize]byte

// cts is AES in CBC mode with ciphertext stealing and an initial vector of
// zero (RFC 3962 5). A message comes in three pieces, which are encrypted in
// place as if they were one: head, a block; body, of any size; and tail, of
// one block to maxEC bytes more.
//
// The bulk of the body is worked on where it lies. Its end and the tail, where
// blocks cross from one piece to the other, go through an array.
type cts struct {
	block cipher.Block
	chain [aes.BlockSize]byte // the last block of ciphertext
	join  [2*aes.BlockSize + aes.BlockSize + aes.BlockSize + maxEC]byte
}

func newCTS(key []byte) *cts {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // encryptionTypes fixes the key sizes
	}
	return &cts{block: block}
}

func (c *cts) encrypt(head, body, tail []byte) {
	c.chain = zeroBlock
	bulk := bulkOf(body)
	if bulk > 0 {
		c.encryptBlocks(head)
		c.encryptBlocks(body[:bulk])
	}
	joined := c.gather(head, body, tail)
	c.encryptEnd(joined)
	c.scatter(joined, head, body, tail)
}

func (c *cts) decrypt(head, body, tail []byte) {
	c.chain = zeroBlock
	bulk := bulkOf(body)
	if bulk > 0 {
		c.decryptBlocks(head)
		c.decryptBlocks(body[:bulk])
	}
	joined := c.gather(head, body, tail)
	c.decryptEnd(joined)
	c.scatter(joined, head, body, tail)
}

// bulkOf returns how many bytes of body certainly lie before the last two
// blocks of the message: whole blocks, all but the last. 0 means that head
// goes the way of the end.
func bulkOf(body []byte) int {
	return max(0, len(body)-len(body)%aes.BlockSize-aes.BlockSize)
}

// gather joins what is not bulk: at least two blocks, or parts of two.
func (c *cts) gather(head, body, tail []byte) []byte {
	joined := c.join[:0]
	bulk := bulkOf(body)
	if bulk == 0 {
		joined = append(joined, head...)
	}
	joined = append(joined, body[bulk:]...)
	return append(joined, tail...)
}

// scatter puts joined back where gather took it from.
func (c *cts) scatter(joined, head, body, tail []byte) {
	bulk := bulkOf(body)
	if bulk == 0 {
		joined = joined[copy(head, joined):]
	}
	joined = joined[copy(body[bulk:], joined):]
	copy(tail, joined)
}

// encryptBlocks encrypts whole blocks in CBC mode.
func (c *cts) encryptBlocks(b []byte) {
	previous := c.chain[:]
	for len(b) > 0 {
		block := b[:aes.BlockSize]
		subtle.XORBytes(block, block, previous)
		c.block.Encrypt(block, block)
		previous, b = block, b[aes.BlockSize:]
	}
	copy(c.chain[:], previous)
}

// decryptBlocks decrypts whole blocks in CBC mode, from the last to the first:
// each needs the ciphertext of the one before.
func (c *cts) decryptBlocks(b []byte) {
	if len(b) == 0 {
		return
	}
	last := [aes.BlockSize]byte(b[len(b)-aes.BlockSize:])
	for i := len(b) - aes.BlockSize; i >= 0; i -= aes.BlockSize {
		previous := c.chain[:]
		if i > 0 {
			previous = b[i-aes.BlockSize : i]
		}
		block := b[i : i+aes.BlockSize]
		c.block.Decrypt(block, block)
		xorBlock(block, previous)
	}
	c.chain = last
}

// xorBlock is subtle.XORBytes for one block, inlined. Decryption of the next
// block does not wait for it; where encryption does, subtle's single store is
// faster than these two.
func xorBlock(dst, src []byte) {
	le := binary.LittleEndian
	le.PutUint64(dst, le.Uint64(dst)^le.Uint64(src))
	le.PutUint64(dst[8:], le.Uint64(dst[8:])^le.Uint64(src[8:]))
}

// encryptEnd encrypts the end of a message, more than one block. The last two
// blocks of ciphertext change places, and the first of them is cut to the size
// of the last block of plaintext.
func (c *cts) encryptEnd(b []byte) {
	last := (len(b) - 1) / aes.BlockSize * aes.BlockSize
	c.encryptBlocks(b[:last])
	final := b[last:]
	subtle.XORBytes(c.chain[:], c.chain[:], final) // zero padding changes nothing
	c.block.Encrypt(c.chain[:], c.chain[:])
	stolen := b[last-aes.BlockSize : last]
	copy(final, stolen)
	copy(stolen, c.chain[:])
}

// decryptEnd undoes encryptEnd.
func (c *cts) decryptEnd(b []byte) {
	last := (len(b) - 1) / aes.BlockSize * aes.BlockSize
	c.decryptBlocks(b[:last-aes.BlockSize])
	final, stolen := b[last:], b[last-aes.BlockSize:last]
	c.block.Decrypt(stolen, stolen)
	for i, sent := range final {
		final[i] = sent ^ stolen[i]
		stolen[i] = sent // what was cut off is still there
	}
	c.block.Decrypt(stolen, stolen)
	xorBlock(stolen, c.chain[:])
}
