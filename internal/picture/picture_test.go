package picture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"rolecall/internal/picture"
)

const plenty = 64 << 20

// secret stands for what a picture tells of its place, in whatever it is written.
const secret = "52.5163N 13.3777E SecretPhone"

// clean cleans a picture, and returns what became of it.
func clean(t testing.TB, content []byte, media string, memory int64) (picture.Cleaned, []byte, error) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "from")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	to, err := os.Create(filepath.Join(folder, "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(from.Close(), to.Close()); err != nil {
			t.Error(err)
		}
	}()
	cleaned, failed := picture.Clean(from, to, media, memory)
	kept, err := os.ReadFile(to.Name())
	if err != nil {
		t.Fatal(err)
	}
	return cleaned, kept, failed
}

// flag is a picture whose top left quarter is red and whose rest is blue.
func flag(width, height int) *image.NRGBA {
	points := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			shade := color.NRGBA{B: 255, A: 255}
			if x < width/2 && y < height/2 {
				shade = color.NRGBA{R: 255, A: 255}
			}
			points.SetNRGBA(x, y, shade)
		}
	}
	return points
}

// exif is what a camera writes: how the picture lies, and a text.
func exif(turn uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x02")
	tiff = append(tiff, 0x01, 0x12, 0, 3, 0, 0, 0, 1)
	tiff = binary.BigEndian.AppendUint16(tiff, turn)
	tiff = append(tiff, 0, 0)
	tiff = append(tiff, 0x01, 0x10, 0, 2) // the camera's model
	tiff = binary.BigEndian.AppendUint32(tiff, uint32(len(secret)+1))
	tiff = binary.BigEndian.AppendUint32(tiff, 38)
	tiff = append(tiff, 0, 0, 0, 0)
	return append(append(tiff, secret...), 0)
}

func jpegOf(t testing.TB, points image.Image, turn uint16) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, points, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	segment := func(marker byte, content string) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(content)+2)), content...)
	}
	whole := []byte{0xff, 0xd8}
	whole = append(whole, segment(0xe1, "Exif\x00\x00"+string(exif(turn)))...)
	whole = append(whole, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x>"+secret+"</x>")...)
	whole = append(whole, segment(0xe2, "ICC_PROFILE\x00\x01\x01profile")...)
	whole = append(whole, segment(0xed, "Photoshop 3.0\x00"+secret)...)
	whole = append(whole, segment(0xfe, secret)...)
	whole = append(whole, encoded.Bytes()[2:]...)
	return append(whole, "film of a phone: "+secret...)
}

func pngOf(t testing.TB, points image.Image, turn uint16) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, points); err != nil {
		t.Fatal(err)
	}
	chunk := func(kind, content string) []byte {
		whole := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
		whole = append(whole, kind+content...)
		return binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(whole[4:]))
	}
	const header = 33 // signature and IHDR
	whole := bytes.Clone(encoded.Bytes()[:header])
	whole = append(whole, chunk("eXIf", string(exif(turn)))...)
	whole = append(whole, chunk("tEXt", "Comment\x00"+secret)...)
	whole = append(whole, encoded.Bytes()[header:]...)
	return append(whole, secret...)
}

func gifOf(t testing.TB, points image.Image) []byte {
	t.Helper()
	frame := image.NewPaletted(points.Bounds(), color.Palette{color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}})
	for y := range frame.Rect.Dy() {
		for x := range frame.Rect.Dx() {
			frame.Set(x, y, points.At(x, y))
		}
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{5, 7}}); err != nil {
		t.Fatal(err)
	}
	comment := append([]byte{0x21, 0xfe, byte(len(secret))}, secret...)
	comment = append(comment, 0)
	program := append([]byte{0x21, 0xff, 11}, "XMP DataXMP"...)
	program = append(append(program, byte(len(secret))), secret...)
	program = append(program, 0)
	const header = 13
	at := header
	if flags := encoded.Bytes()[10]; flags&0x80 != 0 {
		at += 3 << (flags&7 + 1)
	}
	whole := bytes.Clone(encoded.Bytes()[:at])
	whole = append(append(whole, comment...), program...)
	return append(append(whole, encoded.Bytes()[at:]...), secret...)
}

// webpOf is a picture of one point, with what a camera writes.
func webpOf(t testing.TB, turn uint16) []byte {
	t.Helper()
	points, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	chunk := func(kind string, content []byte) []byte {
		whole := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(content)))
		whole = append(whole, content...)
		if len(content)%2 == 1 {
			whole = append(whole, 0)
		}
		return whole
	}
	body := []byte("WEBP")
	body = append(body, chunk("VP8X", []byte{0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0})...)
	body = append(body, points[12:]...)
	body = append(body, chunk("EXIF", exif(turn))...)
	body = append(body, chunk("XMP ", []byte(secret))...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// isRed reports whether a place of a picture, in tenths of its sides, is of the quarter that is red.
func isRed(points image.Image, x, y int) bool {
	bounds := points.Bounds()
	red, _, blue, _ := points.At(bounds.Min.X+bounds.Dx()*x/10, bounds.Min.Y+bounds.Dy()*y/10).RGBA()
	return red > blue
}

// corner names the corner that is red.
func corner(points image.Image) string {
	for name, at := range map[string][2]int{"top left": {2, 2}, "top right": {8, 2}, "bottom left": {2, 8}, "bottom right": {8, 8}} {
		if isRed(points, at[0], at[1]) {
			return name
		}
	}
	return "none"
}

func TestJPEGStandsUprightAndTellsNothing(t *testing.T) {
	t.Parallel()
	for turn, want := range map[uint16]string{
		1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left", 5: "top left", 6: "top right", 7: "bottom right", 8: "bottom left",
	} {
		content := jpegOf(t, flag(640, 400), turn)
		cleaned, kept, err := clean(t, content, picture.JPEG, plenty)
		if err != nil {
			t.Fatal(err)
		}
		width, height := 640, 400
		if turn >= 5 {
			width, height = height, width
		}
		points, err := jpeg.Decode(bytes.NewReader(kept))
		if err != nil || points.Bounds().Dx() != width || points.Bounds().Dy() != height || corner(points) != want ||
			cleaned.Width != width || cleaned.Height != height {
			t.Errorf("turned by %d: %v, %+v, %v", turn, points.Bounds(), cleaned, err)
		}
		small, err := jpeg.Decode(bytes.NewReader(cleaned.Thumbnail.Content))
		if err != nil || max(small.Bounds().Dx(), small.Bounds().Dy()) != picture.MaxThumbnail || corner(small) != want {
			t.Errorf("turned by %d: in small: %v, %v", turn, small.Bounds(), err)
		}
		if bytes.Contains(kept, []byte("Secret")) || bytes.Contains(kept, []byte("Photoshop")) {
			t.Errorf("turned by %d: it tells where it was taken", turn)
		}
		if !bytes.Contains(kept, []byte("ICC_PROFILE\x00\x01\x01profile")) {
			t.Errorf("turned by %d: it has lost its colours", turn)
		}
		// Where there is no room for the points it says how it lies, and no more.
		cleaned, kept, err = clean(t, content, picture.JPEG, 1000)
		if err != nil || cleaned.Thumbnail != nil || cleaned.Width != width || bytes.Contains(kept, []byte("Secret")) {
			t.Errorf("turned by %d, without room: %+v, %v", turn, cleaned, err)
		}
		again, _, err := clean(t, kept, picture.JPEG, plenty)
		if err != nil || again.Width != width {
			t.Errorf("turned by %d, without room: it does not say how it lies: %+v, %v", turn, again, err)
		}
	}
}

func TestOthersTellNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		media   string
		content []byte
		decode  func([]byte) (image.Image, error)
		corner  string
	}{
		"PNG": {picture.PNG, pngOf(t, flag(600, 300), 6), func(b []byte) (image.Image, error) { return png.Decode(bytes.NewReader(b)) }, ""},
		"GIF": {picture.GIF, gifOf(t, flag(600, 300)), func(b []byte) (image.Image, error) {
			all, err := gif.DecodeAll(bytes.NewReader(b))
			if err == nil && (len(all.Image) != 2 || all.Delay[1] != 7 || all.LoopCount != 0) {
				t.Errorf("GIF: %d frames, %v", len(all.Image), all.Delay)
			}
			return all.Image[0], err
		}, "top left"},
		"WebP": {picture.WebP, webpOf(t, 6), func(b []byte) (image.Image, error) { return webp.Decode(bytes.NewReader(b)) }, ""},
	} {
		for _, memory := range []int64{plenty, 10} {
			cleaned, kept, err := clean(t, test.content, test.media, memory)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			points, err := test.decode(kept)
			if err != nil || bytes.Contains(kept, []byte("Secret")) || (cleaned.Thumbnail == nil) == (memory == plenty) {
				t.Errorf("%s with %d bytes: %+v, %v, tells of its place: %t", name, memory, cleaned, err, bytes.Contains(kept, []byte("Secret")))
			} else if test.corner != "" && corner(points) != test.corner {
				t.Errorf("%s is red at the %s", name, corner(points))
			}
		}
	}
	cleaned, kept, err := clean(t, pngOf(t, flag(600, 300), 6), picture.PNG, 10)
	if again, _, failed := clean(t, kept, picture.PNG, plenty); err != nil || failed != nil || cleaned.Width != 300 || again.Width != 300 {
		t.Errorf("a PNG on its side: %+v, %+v, %v, %v", cleaned, again, err, failed)
	}
}

// A picture that costs more than there is has no thumbnail, however small its file is.
func TestBombs(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&bomb, image.NewPaletted(image.Rect(0, 0, 10_000, 5_000), color.Palette{color.Black})); err != nil {
		t.Fatal(err)
	}
	cleaned, kept, err := clean(t, bomb.Bytes(), picture.PNG, 40<<20)
	if err != nil || cleaned.Thumbnail != nil || cleaned.Width != 10_000 || len(kept) != bomb.Len() {
		t.Errorf("50 megapixels in %d bytes: %+v, %v", bomb.Len(), cleaned, err)
	}
	header := jpegOf(t, flag(8, 8), 1)
	at := bytes.Index(header, []byte{0xff, 0xc0})
	for _, marker := range []byte{0xc0, 0xc2} {
		huge := bytes.Clone(header)
		huge[at+1] = marker
		copy(huge[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
		if cleaned, _, err := clean(t, huge, picture.JPEG, 40<<20); err != nil || cleaned.Thumbnail != nil {
			t.Errorf("4 gigapixels: %+v, %v", cleaned, err)
		}
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		media   string
		content []byte
	}{
		"no JPEG":         {picture.JPEG, []byte("\xff\xd8\xff" + strings.Repeat("\x00", 100))},
		"half a JPEG":     {picture.JPEG, jpegOf(t, flag(80, 80), 1)[:300]},
		"no PNG":          {picture.PNG, []byte("\x89PNG\r\n\x1a\nIHDR")},
		"a PNG cut off":   {picture.PNG, pngOf(t, flag(80, 80), 1)[:200]},
		"a long chunk":    {picture.PNG, append(bytes.Clone(pngOf(t, flag(8, 8), 1)[:33]), "\xff\xff\xff\xfftEXt"...)},
		"a GIF cut off":   {picture.GIF, gifOf(t, flag(80, 80))[:60]},
		"a WebP cut off":  {picture.WebP, webpOf(t, 1)[:50]},
		"a WebP of a lie": {picture.WebP, append([]byte("RIFF\xff\xff\xff\xffWEBP"), webpOf(t, 1)[12:]...)},
		"nothing":         {picture.GIF, nil},
	} {
		if _, _, err := clean(t, test.content, test.media, 10); !errors.Is(err, picture.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What ends before its end is still shown.
	whole := jpegOf(t, flag(400, 400), 1)
	end := bytes.LastIndex(whole, []byte{0xff, 0xd9})
	if _, kept, err := clean(t, whole[:end-20], picture.JPEG, 10); err != nil || !bytes.HasSuffix(kept, []byte{0xff, 0xd9}) {
		t.Errorf("a JPEG without its end: %v", err)
	}
}

func FuzzClean(f *testing.F) {
	f.Add(jpegOf(f, flag(40, 20), 6), 0)
	f.Add(pngOf(f, flag(40, 20), 3), 1)
	f.Add(gifOf(f, flag(40, 20)), 2)
	f.Add(webpOf(f, 8), 3)
	f.Fuzz(func(t *testing.T, content []byte, which int) {
		media := []string{picture.JPEG, picture.PNG, picture.GIF, picture.WebP}[uint(which)%4]
		cleaned, _, err := clean(t, content, media, 8<<20)
		if err == nil && (cleaned.Width < 1 || cleaned.Height < 1) {
			t.Errorf("a picture of %dx%d", cleaned.Width, cleaned.Height)
		}
	})
}
