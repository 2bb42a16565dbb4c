package app

import (
	"errors"
	"fmt"
	"os"

	"signalbox/internal/secret"
	"signalbox/models"
)

// settingKeyCheck is a value that only the right secret key opens.
const settingKeyCheck = "secret_key_check"

const keyCheck = "the data of this database are sealed with this key"

// loadKeys reads the secret key and proves that it is the one that the data were sealed with. It reads only, and is asked before
// the schema is changed: a start with a wrong key leaves the database as it is. A missing file is made only beside a database
// that nobody used: a new key would open nothing of what is there.
func loadKeys(tx *models.Tx, file string, create bool) (*secret.Keyring, error) {
	_, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		used, err := tx.Used()
		if err != nil {
			return nil, err
		}
		if used {
			return nil, fmt.Errorf("--secret-key-file: %s is missing, but the database is in use and its secrets are sealed. Put the key file back from the backup", file)
		}
	}
	keys, err := secret.LoadKeyring(file, create)
	if err != nil {
		return nil, fmt.Errorf("--secret-key-file: %w", err)
	}
	return keys, proveKeys(tx, keys, file)
}

func wrongKey(file string) error {
	return fmt.Errorf("--secret-key-file: the key in %s is not the one that the data in the database were sealed with. Use the key file that belongs to this database", file)
}

// proveKeys holds the key against the stored check. A database of an older version has none: some of its values are opened.
func proveKeys(tx *models.Tx, keys *secret.Keyring, file string) error {
	if made, err := tx.Made(); err != nil || !made {
		return err
	}
	stored, err := tx.Setting(settingKeyCheck)
	if err != nil {
		return err
	}
	if stored != "" {
		return opens(keys, stored, file)
	}
	samples, err := tx.SealedSamples()
	if err != nil {
		return err
	}
	for _, s := range samples {
		if _, err := keys.Open(s.Place, s.Value); err == nil {
			return nil
		}
	}
	if len(samples) > 0 {
		return wrongKey(file)
	}
	return nil
}

func opens(keys *secret.Keyring, stored, file string) error {
	if text, err := keys.OpenText(settingKeyCheck, stored); err != nil || text != keyCheck {
		return wrongKey(file)
	}
	return nil
}

// keepKeyCheck stores the check of a key that was proved, unless there is one: of nodes that start at once with different keys
// one wins, and the others are refused.
func keepKeyCheck(tx *models.Tx, keys *secret.Keyring, file string) error {
	stored, err := tx.KeepSetting(settingKeyCheck, keys.SealText(settingKeyCheck, keyCheck))
	if err != nil {
		return err
	}
	return opens(keys, stored, file)
}
