package config

import (
	"strings"

	"rolecall/internal/atrest"
)

const encryptionFlag = "encryption-keys"

// readEncryptionKeys reads the keys that messages are encrypted with. Its errors have nothing of the keys.
func (c *Config) readEncryptionKeys() error {
	list, from := c.EncryptionKeys, encryptionFlag
	if c.EncryptionKeysFile != "" {
		if list != "" {
			return bad("encryption-keys-file", "cannot be set together with "+Variable(encryptionFlag))
		}
		content, err := readKeyFile(c.EncryptionKeysFile)
		if err != nil {
			return bad("encryption-keys-file", err.Error())
		}
		from = "encryption-keys-file"
		list = strings.Join(strings.Fields(strings.ReplaceAll(string(content), ",", "\n")), ",")
	}
	keys, err := atrest.ParseKeys(list)
	if err != nil {
		return bad(from, err.Error())
	}
	c.TextKeys = keys
	return nil
}
