package config

import (
	"fmt"
	"log/slog"
	"math"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"rolecall/internal/auth"
	"rolecall/internal/clientip"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
)

// mappers are how the types of flags are read. All are here, also of types that kong knows, so that every error says
// what is expected in the same words.
func mappers() []kong.Option {
	return []kong.Option{
		kong.TypeMapper(reflect.TypeFor[bool](), toggle{}),
		kong.TypeMapper(reflect.TypeFor[string](), kong.MapperFunc(decodeString)),
		kong.TypeMapper(reflect.TypeFor[int](), decoder(parser("a whole number", strconv.Atoi))),
		kong.TypeMapper(reflect.TypeFor[uint64](), decoder(parser("a whole number from 0", func(text string) (uint64, error) {
			return strconv.ParseUint(text, 10, 64)
		}))),
		kong.TypeMapper(reflect.TypeFor[float64](), decoder(parser("a number", func(text string) (float64, error) {
			return strconv.ParseFloat(text, 64)
		}))),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), decoder(parser(timeForm, ParseTime))),
		kong.TypeMapper(reflect.TypeFor[slog.Level](), decoder(parser("debug, info, warn or error", func(text string) (level slog.Level, err error) {
			return level, level.UnmarshalText([]byte(text))
		}))),
		kong.TypeMapper(reflect.TypeFor[[]string](), decoder(parseList)),
		kong.TypeMapper(reflect.TypeOf(Config{}.TrustedProxies), decoder(clientip.ParseProxies)),
		kong.TypeMapper(reflect.TypeFor[limit.Rate](), decoder(limit.ParseRate)),
		kong.TypeMapper(reflect.TypeFor[auth.Claim](), decoder(auth.ParseClaim)),
		kong.TypeMapper(reflect.TypeFor[map[string]roles.Role](), decoder(parseRoleMap)),
		kong.TypeMapper(reflect.TypeFor[roles.OpenRooms](), decoder(parseOpenRooms)),
		kong.TypeMapper(reflect.TypeFor[roles.Messaging](), decoder(roles.ParseMessaging)),
		kong.NamedMapper("rolesOrOff", decoder(parseRolesOrOff)),
		kong.NamedMapper("domainsOrOff", decoder(parseDomainsOrOff)),
		kong.NamedMapper("roleOrOff", decoder(parseRoleOrOff)),
		kong.NamedMapper("timeOrOff", decoder(timeOr(off))),
		kong.NamedMapper("rateOrOff", decoder(parseRateOrOff)),
		kong.NamedMapper("countOrOff", decoder(parseCountOrOff)),
		kong.NamedMapper("sizeOrOff", decoder(parseSizeOrOff)),
		kong.NamedMapper("size", decoder(parseSize)),
		kong.NamedMapper("mediaOrAll", decoder(parseMediaOrAll)),
		kong.NamedMapper("timeOrKept", decoder(timeOr("kept"))),
	}
}

// decoder makes a mapper of a function that reads a value; its error says what is wrong with the text.
func decoder[T any](parse func(text string) (T, error)) kong.Mapper {
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		text, err := valueText(ctx)
		if err != nil {
			return err
		}
		value, err := parse(text)
		if err != nil {
			return refuse(ctx.Value, err.Error())
		}
		target.Set(reflect.ValueOf(value))
		return nil
	})
}

// parser gives a function that reads a value an error which says what is expected.
func parser[T any](expected string, parse func(text string) (T, error)) func(text string) (T, error) {
	return func(text string) (T, error) {
		value, err := parse(text)
		if err != nil {
			return value, fmt.Errorf("%q is not %s", text, expected)
		}
		return value, nil
	}
}

func refuse(value *kong.Value, reason string) error {
	return &refusal{flag: value.Name, variable: variableOf(value), reason: reason}
}

func valueText(ctx *kong.DecodeContext) (string, error) {
	text, ok := ctx.Scan.Pop().Value.(string)
	if !ok {
		return "", refuse(ctx.Value, "needs a value")
	}
	return text, nil
}

func decodeString(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := valueText(ctx)
	if err != nil {
		return err
	}
	if choice := ctx.Value.EnumSlice(); ctx.Value.Enum != "" && !slices.Contains(choice, text) {
		return refuse(ctx.Value, fmt.Sprintf("%q is none of %s", text, strings.Join(choice, ", ")))
	}
	target.SetString(text)
	return nil
}

// toggle reads a flag that needs no value.
type toggle struct{}

// IsBool implements kong.BoolMapper.
func (toggle) IsBool() bool { return true }

// Decode implements kong.Mapper.
func (toggle) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		target.SetBool(true)
		return nil
	}
	return decoder(parser("true or false", strconv.ParseBool)).Decode(ctx, target)
}

func parseOpenRooms(text string) (roles.OpenRooms, error) {
	switch every, err := strconv.ParseBool(text); {
	case err != nil:
		return roles.ParseOpenRooms(text)
	case every:
		return roles.EveryOpenRoom(), nil
	default:
		return roles.OpenRooms{}, nil
	}
}

// parseRolesOrOff reads roles, each named once.
func parseRolesOrOff(text string) ([]roles.Role, error) {
	if text == off {
		return nil, nil
	}
	names, _ := parseList(text) // never fails
	var list []roles.Role
	for _, name := range names {
		role, err := roles.Parse(name)
		if err != nil || slices.Contains(list, role) {
			return nil, fmt.Errorf("%q is not a list of different roles, comma-separated, or off", text)
		}
		list = append(list, role)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is not a list of different roles, comma-separated, or off", text)
	}
	return list, nil
}

func parseList(text string) ([]string, error) {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

// parseDomainsOrOff reads which domains are shared, each named once.
func parseDomainsOrOff(text string) ([]string, error) {
	if text == off {
		return nil, nil
	}
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	for i, domain := range list {
		if domain != "chat" && domain != "notices" || slices.Contains(list[:i], domain) {
			return nil, fmt.Errorf("%q is not chat, notices, both, or off", text)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is not chat, notices, both, or off", text)
	}
	return list, nil
}

// off is the word for a limit that is not set.
const off = "off"

func parseRateOrOff(text string) (limit.Rate, error) {
	if text == off {
		return limit.Rate{}, nil
	}
	rate, err := limit.ParseRate(text)
	if err != nil {
		return limit.Rate{}, fmt.Errorf("%w, nor off", err)
	}
	return rate, nil
}

func parseCountOrOff(text string) (int, error) {
	if text == off {
		return 0, nil
	}
	count, err := strconv.Atoi(text)
	if err != nil || count <= 0 {
		return 0, fmt.Errorf("%q is not a number from 1, nor off", text)
	}
	return count, nil
}

// parseSizeOrOff reads a number of bytes, with a unit or without.
func parseSizeOrOff(text string) (int64, error) {
	if text == off {
		return 0, nil
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > math.MaxInt64 || strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%q is not a size such as 512MiB or 2GiB, nor off", text)
	}
	return int64(size), nil
}

// parseSize reads a number of bytes, with a unit or without.
func parseSize(text string) (int64, error) {
	size, err := parseSizeOrOff(text)
	if err != nil || size == 0 {
		return 0, fmt.Errorf("%q is not a size such as 512KiB or 2GiB", text)
	}
	return size, nil
}

// parseMediaOrAll reads media types, of which the second part may be *.
func parseMediaOrAll(text string) ([]string, error) {
	if text == "all" {
		return nil, nil
	}
	list, _ := parseList(text) // never fails
	for i, name := range list {
		media, parameters, err := mime.ParseMediaType(name)
		kind, rest, isWhole := strings.Cut(media, "/")
		if err != nil || len(parameters) > 0 || !isWhole || kind == "" || rest == "" || kind == "*" {
			return nil, fmt.Errorf("%q is not a media type such as image/* or application/pdf, nor all", name)
		}
		list[i] = media
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is not a list of media types, comma-separated, nor all", text)
	}
	return list, nil
}

// timeOr reads a time longer than nothing, or the word for none.
func timeOr(word string) func(text string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		if text == word {
			return 0, nil
		}
		length, err := ParseTime(text)
		if err != nil || length <= 0 {
			return 0, fmt.Errorf("%q is not %s, nor %s", text, timeForm, word)
		}
		return length, nil
	}
}

func parseRoleOrOff(text string) (roles.Role, error) {
	if text == off {
		return "", nil
	}
	role, err := roles.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q is none of %s, nor off", text, roleNames())
	}
	return role, nil
}

// parseRoleMap reads what other names of roles stand for: ops=admin,fleet-manager=company. A name may hold anything but a
// comma, and more than one "=".
func parseRoleMap(text string) (map[string]roles.Role, error) {
	var renamed map[string]roles.Role
	pairs, _ := parseList(text)
	for _, pair := range pairs {
		cut := strings.LastIndexByte(pair, '=')
		if cut <= 0 {
			return nil, fmt.Errorf("%q is not of the form name=role", pair)
		}
		name, given := strings.TrimSpace(pair[:cut]), strings.TrimSpace(pair[cut+1:])
		role, err := roles.Parse(given)
		if err != nil {
			return nil, fmt.Errorf("%q in %q is none of %s", given, pair, roleNames())
		}
		if other, twice := renamed[name]; twice && other != role {
			return nil, fmt.Errorf("%q stands for two roles", name)
		}
		if renamed == nil {
			renamed = make(map[string]roles.Role)
		}
		renamed[name] = role
	}
	return renamed, nil
}

func roleNames() string {
	var names []string
	for _, role := range roles.All() {
		names = append(names, string(role))
	}
	return strings.Join(names, ", ")
}
