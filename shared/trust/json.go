package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// members reads a JSON object: each key is known to field, which gives what
// its value is decoded into, or nil for an unknown key, and comes once.
func members(data []byte, field func(key string) any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("JSON object expected, got %v", t)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if seen[key] {
			return fmt.Errorf("Duplicate key %q", key)
		}
		seen[key] = true
		into := field(key)
		if into == nil {
			return fmt.Errorf("Unknown key %q", key)
		}
		if err := d.Decode(into); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// object is members with the places of all known keys.
func object(data []byte, places map[string]any) error {
	return members(data, func(key string) any { return places[key] })
}

// raws is an object whose keys are free and whose values are read later.
func raws(data []byte) (map[string]json.RawMessage, error) {
	found := map[string]*json.RawMessage{}
	err := members(data, func(key string) any {
		found[key] = &json.RawMessage{}
		return found[key]
	})
	out := make(map[string]json.RawMessage, len(found))
	for k, v := range found {
		out[k] = *v
	}
	return out, err
}
