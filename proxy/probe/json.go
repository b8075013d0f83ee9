package probe

import (
	"encoding/json"
	"time"
)

// The names in JSON never change their meaning; there may be more of them.

type reportJSON struct {
	Target   string     `json:"target"`
	Auth     Auth       `json:"auth"`
	Level    Level      `json:"level,omitempty"`
	SPN      string     `json:"spn,omitempty"`
	Address  string     `json:"address,omitempty"`
	NSPIPort uint16     `json:"nspi_port,omitempty"`
	Entries  uint32     `json:"entries"`
	Answered bool       `json:"query_answered"`
	Outcome  Outcome    `json:"outcome"`
	Err      string     `json:"error,omitempty"`
	Duration float64    `json:"duration_ms"`
	Steps    []stepJSON `json:"steps"`
}

type stepJSON struct {
	Name     string  `json:"step"`
	OK       bool    `json:"ok"`
	Duration float64 `json:"duration_ms"`
	Detail   string  `json:"detail,omitempty"`
	Err      string  `json:"error,omitempty"`
}

// MarshalJSON implements json.Marshaler. Durations are in milliseconds.
func (r Report) MarshalJSON() ([]byte, error) {
	j := reportJSON{
		Target: r.Target, Auth: r.Auth, Level: r.Level, SPN: r.SPN, Address: r.Address, NSPIPort: r.NSPIPort,
		Entries: r.Entries, Answered: r.Answered, Outcome: r.Outcome, Err: r.Err, Duration: milliseconds(r.Duration),
		Steps: []stepJSON{},
	}
	for _, s := range r.Steps {
		j.Steps = append(j.Steps, stepJSON{s.Name, s.Err == "", milliseconds(s.Duration), s.Detail, s.Err})
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Report) UnmarshalJSON(data []byte) error {
	var j reportJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = Report{
		Target: j.Target, Auth: j.Auth, Level: j.Level, SPN: j.SPN, Address: j.Address, NSPIPort: j.NSPIPort,
		Entries: j.Entries, Answered: j.Answered, Outcome: j.Outcome, Err: j.Err, Duration: duration(j.Duration),
	}
	for _, s := range j.Steps {
		r.Steps = append(r.Steps, Step{s.Name, duration(s.Duration), s.Detail, s.Err})
	}
	return nil
}

// milliseconds returns d in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
