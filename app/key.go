package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"signalbox/internal/secret"
	"signalbox/models"
)

// settingKeyCheck is a value that only the right secret key opens.
const settingKeyCheck = "secret_key_check"

const keyCheck = "the data of this database are sealed with this key"

// loadKeys reads the secret key and proves that it is the one that the data were sealed with. A missing file is made only
// beside a database that nobody used: a new key would open nothing of what is there.
func loadKeys(ctx context.Context, db *models.DB, file string, create bool) (*secret.Keyring, error) {
	_, err := os.Stat(file)
	missing := errors.Is(err, os.ErrNotExist)
	if missing {
		var used bool
		err := db.Read(ctx, func(tx *models.Tx) (err error) {
			used, err = tx.Used()
			return err
		})
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
	return keys, db.Write(ctx, func(tx *models.Tx) error { return checkKeys(tx, keys, file) })
}

// checkKeys holds the key against the stored check. A database of an older version has none: some of its values are opened.
func checkKeys(tx *models.Tx, keys *secret.Keyring, file string) error {
	wrong := fmt.Errorf("--secret-key-file: the key in %s is not the one that the data in the database were sealed with. Use the key file that belongs to this database", file)
	stored, err := tx.Setting(settingKeyCheck)
	if err != nil {
		return err
	}
	if stored == "" {
		samples, err := tx.SealedSamples()
		if err != nil {
			return err
		}
		opened := 0
		for _, s := range samples {
			if _, err := keys.Open(s.Place, s.Value); err == nil {
				opened++
			}
		}
		if len(samples) > 0 && opened == 0 {
			return wrong
		}
		if stored, err = tx.KeepSetting(settingKeyCheck, keys.SealText(settingKeyCheck, keyCheck)); err != nil {
			return err
		}
	}
	if text, err := keys.OpenText(settingKeyCheck, stored); err != nil || text != keyCheck {
		return wrong
	}
	return nil
}
