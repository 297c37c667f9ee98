package auth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

func TestParseClaim(t *testing.T) {
	for text, want := range map[string]auth.Claim{
		"sub":                               {{"sub"}},
		" sub , userId ":                    {{"sub"}, {"userId"}},
		"realm_access.roles":                {{"realm_access", "roles"}},
		`"https://app.example/role"`:        {{"https://app.example/role"}},
		`'https://app.example/role'`:        {{"https://app.example/role"}},
		`"'https://app.example/role'"`:      {{"https://app.example/role"}},
		`'"https://app.example/role"'`:      {{"https://app.example/role"}},
		`"https://a.example/x".role,role`:   {{"https://a.example/x", "role"}, {"role"}},
		`resource_access."my.app".roles`:    {{"resource_access", "my.app", "roles"}},
		"cognito:groups,custom:role":        {{"cognito:groups"}, {"custom:role"}},
		`"a, b".'say "x"'`:                  {{"a, b", `say "x"`}},
		"https:, x-hasura-role, $a@b, 0, _": {{"https:"}, {"x-hasura-role"}, {"$a@b"}, {"0"}, {"_"}},
	} {
		got, err := auth.ParseClaim(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"":                         "lacks a name",
		",":                        "lacks a name",
		"a,":                       "lacks a name",
		"a.":                       "lacks a name",
		".a":                       "lacks a name",
		"a..b":                     "lacks a name",
		`"a`:                       "without its other",
		`"a'`:                      "without its other",
		`""`:                       "nothing in between",
		"https://app.example/role": `"'https://app.example/role'"`,
		"a/b":                      "quoted",
		"a b":                      "quoted",
		"ünal":                     "quoted",
		`"a"b`:                     "quoted",
		`a"b"`:                     "quoted",
	} {
		if got, err := auth.ParseClaim(text); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %v, %v; want an error that says %s", text, got, err, want)
		}
	}
}

// What a setting is shown as is what it is read from.
func TestClaimsAreShownAsTheyAreRead(t *testing.T) {
	name := rapid.StringMatching(`[a-z./ ,é:]([a-z./ ,"é:]{0,4}|[a-z./ ,'é:]{0,4})`)
	rapid.Check(t, func(t *rapid.T) {
		claim := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(name, 1, 3), func(names []string) auth.Path { return names }), 1, 3).Draw(t, "claim")
		got, err := auth.ParseClaim(auth.Claim(claim).String())
		if diff := cmp.Diff(auth.Claim(claim), got); err != nil || diff != "" {
			t.Fatalf("%s: %v %s", auth.Claim(claim), err, diff)
		}
	})
}

func claim(t *testing.T, text string) auth.Claim {
	t.Helper()
	parsed, err := auth.ParseClaim(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestMapping(t *testing.T) {
	renamed := map[string]roles.Role{"ops": roles.Admin, "fleet-manager": roles.Company, "7": roles.Driver, "admin": roles.Vendor}
	for name, tc := range map[string]struct {
		mapping auth.Mapping
		claims  string // besides sub and exp
		want    roles.Role
		err     error
	}{
		"nested":                        {auth.Mapping{Role: claim(t, "realm_access.roles")}, `"realm_access":{"roles":["x","driver"]}`, roles.Driver, nil},
		"nested in a list":              {auth.Mapping{Role: claim(t, "roles.name")}, `"roles":[{"id":1},{"name":"x"},{"name":["vendor"]}]`, roles.Vendor, nil},
		"quoted":                        {auth.Mapping{Role: claim(t, `"https://a.example/role"`)}, `"https://a.example/role":"driver"`, roles.Driver, nil},
		"the second path":               {auth.Mapping{Role: claim(t, "a.role, role")}, `"a":{"b":1},"role":"driver"`, roles.Driver, nil},
		"nothing at the first":          {auth.Mapping{Role: claim(t, "a, role")}, `"a":[],"role":"driver"`, roles.Driver, nil},
		"the first decides":             {auth.Mapping{Role: claim(t, "a, role")}, `"a":"root","role":"driver"`, "", auth.ErrRole},
		"renamed":                       {auth.Mapping{Roles: renamed}, `"role":"ops"`, roles.Admin, nil},
		"a number renamed":              {auth.Mapping{Roles: renamed}, `"role":7`, roles.Driver, nil},
		"renamed in a list":             {auth.Mapping{Roles: renamed}, `"role":["x","fleet-manager","driver"]`, roles.Company, nil},
		"not renamed":                   {auth.Mapping{Roles: renamed}, `"role":"driver"`, roles.Driver, nil},
		"one of the five renamed":       {auth.Mapping{Roles: renamed}, `"role":"admin"`, roles.Vendor, nil},
		"in other letters":              {auth.Mapping{Roles: renamed}, `"role":"Ops"`, "", auth.ErrRole},
		"none, and a default":           {auth.Mapping{DefaultRole: roles.Vendor}, `"x":1`, roles.Vendor, nil},
		"null, and a default":           {auth.Mapping{DefaultRole: roles.Vendor}, `"role":null`, roles.Vendor, nil},
		"empty, and a default":          {auth.Mapping{DefaultRole: roles.Vendor}, `"role":""`, roles.Vendor, nil},
		"an empty list, and a default":  {auth.Mapping{DefaultRole: roles.Vendor}, `"role":[]`, roles.Vendor, nil},
		"a list of others, and default": {auth.Mapping{DefaultRole: roles.Vendor}, `"role":["offline_access"]`, roles.Vendor, nil},
		"unknown, in spite of default":  {auth.Mapping{DefaultRole: roles.Vendor}, `"role":"suspended"`, "", auth.ErrRole},
		"an object, in spite of it":     {auth.Mapping{DefaultRole: roles.Vendor}, `"role":{}`, "", auth.ErrRole},
		"none":                          {auth.Mapping{}, `"x":1`, "", auth.ErrRole},
		"a path through text":           {auth.Mapping{Role: claim(t, "role.name")}, `"role":"driver"`, "", auth.ErrRole},
		"a path that ends too early":    {auth.Mapping{Role: claim(t, "a")}, `"a":{"role":"driver"}`, "", auth.ErrRole},
		"user elsewhere":                {auth.Mapping{User: claim(t, "user.id")}, `"user":{"id":7},"role":"driver"`, roles.Driver, nil},
		"user nowhere":                  {auth.Mapping{User: claim(t, "uid")}, `"role":"driver"`, "", auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			verifier := newVerifier(t, auth.Options{Mapping: tc.mapping})
			token := handSigned(t, `{"alg":"HS256"}`, `{"sub":"u1","exp":99999999999,`+tc.claims+`}`)
			if tc.err != nil {
				refused(t, verifier, token, tc.err)
				return
			}
			if id, err := verifier.Verify(t.Context(), token); err != nil || id.Role != tc.want {
				t.Errorf("Verify = %+v, %v; want a %s", id, err, tc.want)
			}
		})
	}
}

// A development token suits whatever the server is told to look for.
func TestMintForAnyMapping(t *testing.T) {
	want := auth.Identity{UserID: "u1", Username: "Uma", Role: roles.Company, CompanyID: "acme", IssuedAt: noon(), ExpiresAt: noon().Add(3600e9)}
	for name, o := range map[string]auth.Options{
		"nothing set": {},
		"all claims elsewhere": {Issuer: "https://id.example/", Audience: "fleet", Mapping: auth.Mapping{
			User: claim(t, "user.id, sub"), Name: claim(t, "user.name"), Role: claim(t, `"https://a.example/x".role`), Company: claim(t, "tenant"),
		}},
		"its own name renamed": {Mapping: auth.Mapping{Roles: map[string]roles.Role{"company": roles.Vendor, "fleet": roles.Company}}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Secret, o.Now = []byte(secret), noon
			token, err := auth.MintFor(o, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := newVerifier(t, o).Verify(t.Context(), token)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	for name, mapping := range map[string]auth.Mapping{
		"no name left":          {Roles: map[string]roles.Role{"company": roles.Vendor}},
		"a path through text":   {User: claim(t, "a"), Role: claim(t, "a.role")},
		"a path through a path": {User: claim(t, "a"), Name: claim(t, "a.b.c")},
	} {
		if token, err := auth.MintFor(auth.Options{Secret: []byte(secret), Mapping: mapping}, want); err == nil || token != "" {
			t.Errorf("%s: a token is made that could not be read: %s", name, token)
		}
	}
}

// Whatever is in a token and wherever it is looked for, an identity is well formed or there is none.
func FuzzMapping(f *testing.F) {
	for _, seed := range [][2]string{
		{"role", `{"sub":1,"role":["driver"]}`}, {"a.b", `{"sub":"u","a":[{"b":"admin"}],"companyId":[7]}`}, {"a", `{"userId":"x","a":{"a":null}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, claims string) {
		role, err := auth.ParseClaim(path)
		if err != nil {
			t.Skip()
		}
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(claims), &object) != nil || object == nil {
			t.Skip()
		}
		object["exp"] = json.RawMessage("99999999999")
		raw, err := json.Marshal(object)
		if err != nil {
			t.Skip()
		}
		id, err := newVerifier(t, auth.Options{Mapping: auth.Mapping{Role: role}}).Verify(t.Context(), handSigned(t, `{"alg":"HS256"}`, string(raw)))
		if err != nil {
			return
		}
		if _, err := roles.Parse(string(id.Role)); err != nil || !roles.ValidUserID(id.UserID) || id.Username == "" || id.Role.HasTenant() != (id.CompanyID != "") {
			t.Fatalf("%s of %s is %+v", path, raw, id)
		}
	})
}
