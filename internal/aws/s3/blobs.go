package s3

import (
	"context"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// blobs keeps bytes by their SHA-256, as long as a record names them or someone
// holds them.
type blobs struct {
	dir   string
	store content.Store

	// key is what all that is written is encrypted with.
	key func(context.Context) (cipher.Block, error)

	mu      sync.Mutex
	uses    map[string]int // by digest: records that name it, and holds
	orphans map[string]bool
}

func openBlobs(dir string) (*blobs, error) {
	// The library warns at each start where a file system lacks fs-verity, as most
	// do.
	if err := log.SetLevel("error"); err != nil {
		return nil, err
	}
	s, err := local.NewStore(dir)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("the store of S3's objects at %s: %w", dir, err)
	}
	return &blobs{dir: dir, store: s, uses: map[string]int{}, orphans: map[string]bool{}}, nil
}

func named(d string) digest.Digest { return digest.NewDigestFromEncoded(digest.SHA256, d) }

// hold keeps blobs from being deleted until release.
func (b *blobs) hold(list []Blob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blob := range list {
		b.uses[blob.Digest]++
		delete(b.orphans, blob.Digest)
	}
}

func (b *blobs) release(list []Blob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blob := range list {
		if b.uses[blob.Digest]--; b.uses[blob.Digest] <= 0 {
			delete(b.uses, blob.Digest)
			b.orphans[blob.Digest] = true
		}
	}
}

// changed follows a record: the new one's blobs are held, the old one's released.
func (b *blobs) changed(old, new []Blob) {
	b.hold(new)
	b.release(old)
}

// sweep deletes what nothing names any more.
func (b *blobs) sweep(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed error
	for d := range b.orphans {
		if err := b.store.Delete(ctx, named(d)); err != nil && !errdefs.IsNotFound(err) {
			failed = errors.Join(failed, err)
			continue
		}
		delete(b.orphans, d)
	}
	return failed
}

// clean deletes what an earlier process left unfinished or unnamed, before anything
// is written. The records must have been loaded.
func (b *blobs) clean(ctx context.Context) error {
	if err := os.RemoveAll(filepath.Join(b.dir, "ingest")); err != nil {
		return err
	}
	err := b.store.Walk(ctx, func(i content.Info) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if d := i.Digest.Encoded(); b.uses[d] == 0 {
			b.orphans[d] = true
		}
		return nil
	})
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return b.sweep(ctx)
}

// written is what was found out of bytes on their way to a blob.
type written struct {
	blobs []Blob // one, or none for no bytes; held
	size  int64
	md5   []byte
	crc64 string // CRC64NVME, base64
}

// crc64NVME is the polynomial of CRC-64/NVME, reflected.
var crc64NVME = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// copyBuffers are for bytes on their way to and from disk.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// write stores what r gives as a blob, which is held: release it once a record
// names it, or none will. An error of r leaves nothing.
func (b *blobs) write(ctx context.Context, r io.Reader, most int64) (w written, err error) {
	var name [16]byte
	rand.Read(name[:]) // never fails
	ref := hex.EncodeToString(name[:])
	out, err := b.store.Writer(ctx, content.WithRef(ref))
	if err != nil {
		return w, err
	}
	defer func() {
		_ = out.Close() // of a writer that was committed it does nothing
		if err != nil || w.size == 0 {
			_ = b.store.Abort(context.WithoutCancel(ctx), ref)
		}
	}()
	sum, crc := md5.New(), hash.Hash(crc64.New(crc64NVME))
	key, err := b.key(ctx)
	if err != nil {
		return w, err
	}
	sealed := newSealing(out, key)
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	w.size, err = io.CopyBuffer(onlyWriter{io.MultiWriter(sealed, sum, crc)}, onlyReader{io.LimitReader(r, most+1)}, *buffer)
	switch {
	case err != nil:
		return w, err
	case w.size > most:
		return w, errEntityTooLarge
	}
	w.md5, w.crc64 = sum.Sum(nil), base64.StdEncoding.EncodeToString(crc.Sum(nil))
	if w.size == 0 {
		return w, nil
	}
	w.blobs = []Blob{{Digest: out.Digest().Encoded(), Size: w.size, IV: sealed.iv}}
	b.hold(w.blobs)
	if err = out.Commit(ctx, w.size, ""); errdefs.IsAlreadyExists(err) {
		err = nil
	}
	if err != nil {
		b.release(w.blobs)
	}
	return w, err
}

// Only reading or writing: no shortcut around the buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// reader reads a range of an object's bytes, which it holds until it is closed.
type reader struct {
	b     *blobs
	ctx   context.Context
	held  []Blob // all of the object
	rest  []Blob // not begun
	skip  int64  // of the first of rest
	left  int64  // to be read
	now   io.Reader
	close func() error
}

// read opens length bytes from offset of blobs that the caller holds; closing the
// reader releases them.
func (b *blobs) read(ctx context.Context, held []Blob, offset, length int64) io.ReadCloser {
	r := &reader{b: b, ctx: ctx, held: held, rest: held, skip: offset, left: length}
	for len(r.rest) > 0 && r.skip >= r.rest[0].Size {
		r.skip -= r.rest[0].Size
		r.rest = r.rest[1:]
	}
	return r
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.now == nil {
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.now.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if err == io.EOF {
			r.now, err = nil, r.close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *reader) next() error {
	if len(r.rest) == 0 {
		return io.ErrUnexpectedEOF
	}
	blob := r.rest[0]
	at, err := r.b.store.ReaderAt(r.ctx, ocispec.Descriptor{Digest: named(blob.Digest)})
	if err != nil {
		return err
	}
	r.now, r.close = io.NewSectionReader(at, r.skip, blob.Size-r.skip), at.Close
	if blob.IV != "" {
		key, err := r.b.key(r.ctx)
		if err == nil {
			r.now, err = opening(r.now, key, blob.IV, r.skip)
		}
		if err != nil {
			return errors.Join(err, at.Close())
		}
	}
	r.rest, r.skip = r.rest[1:], 0
	return nil
}

func (r *reader) Close() error {
	if r.held == nil && r.now == nil {
		return nil
	}
	r.b.release(r.held)
	r.held = nil
	if r.now != nil {
		r.now = nil
		return r.close()
	}
	return nil
}
