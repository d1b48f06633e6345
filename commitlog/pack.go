package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A stored part is a version byte, a codec byte, a CRC-32C of everything but
// itself, the length of the content, and the content, perhaps compressed.
const (
	packVersion = 1

	codecRaw  = 0
	codecZstd = 1

	packHeader = 10

	// compressFrom is the content size from which compression is tried; below it,
	// it costs more than it saves.
	compressFrom = 1 << 10

	// maxContent is more than a part can hold: messages of PostgreSQL end at 1 GiB, and
	// a part is cut behind the change that makes it larger than 2 MiB.
	maxContent = 1<<30 + 4<<20

	// A block of zstd takes at least 4 bytes and holds 128 KiB at most.
	minBlock = 4
	maxBlock = 128 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic("commitlog: zstd encoder: " + err.Error()) // the options are constants
	}
	return e
})

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxContent),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("commitlog: zstd decoder: " + err.Error()) // the options are constants
	}
	return d
})

// Pack appends the stored form of content to dst. Stored bytes may differ from one
// version of the bridge to the next; the chain covers the content only.
func Pack(dst, content []byte) []byte {
	start := len(dst)
	dst = append(dst, packVersion, codecRaw, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(content)))
	packed := false
	if len(content) >= compressFrom {
		dst = encoder().EncodeAll(content, dst)
		packed = len(dst)-start-packHeader < len(content)
	}
	if packed {
		dst[start+1] = codecZstd
	} else {
		dst = append(dst[:start+packHeader], content...)
	}
	binary.BigEndian.PutUint32(dst[start+2:], packSum(dst[start:]))
	return dst
}

func packSum(stored []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, stored[:2]), castagnoli, stored[6:])
}

// Unpack appends the content of a stored part to dst; where dst is nil it may point into stored. The stored
// bytes are checked before they are decompressed.
func Unpack(dst, stored []byte) ([]byte, error) {
	if len(stored) < packHeader {
		return nil, fmt.Errorf("%d bytes are too short for a payload", len(stored))
	}
	if stored[0] != packVersion {
		return nil, fmt.Errorf("payload version %d is not known to this bridge, which knows %d: use a newer bridge", stored[0], packVersion)
	}
	if packSum(stored) != binary.BigEndian.Uint32(stored[2:]) {
		return nil, errors.New("payload checksum mismatch")
	}
	size := binary.BigEndian.Uint32(stored[6:])
	if size > maxContent {
		return nil, fmt.Errorf("payload claims %d bytes", size)
	}
	start := len(dst)
	switch stored[1] {
	case codecRaw:
		if dst == nil {
			dst = stored[packHeader:len(stored):len(stored)]
			break
		}
		dst = append(dst, stored[packHeader:]...)
	case codecZstd:
		packed := stored[packHeader:]
		if int(size) > (len(packed)/minBlock+1)*maxBlock {
			return nil, fmt.Errorf("payload of %d bytes claims %d", len(packed), size)
		}
		// There is room for what the header says, and the decoder takes no more.
		dst = slices.Grow(dst, int(size))
		content, err := decoder().DecodeAll(packed, dst[start:start:start+int(size)])
		if err != nil {
			return nil, fmt.Errorf("decompress payload: %w", err)
		}
		dst = append(dst, content...)
	default:
		return nil, fmt.Errorf("payload codec %d is not known to this bridge: use a newer bridge", stored[1])
	}
	if len(dst)-start != int(size) {
		return nil, fmt.Errorf("payload holds %d bytes, says %d", len(dst)-start, size)
	}
	return dst, nil
}
