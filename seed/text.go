package seed

// text is what a fixed document says and where it stands.
type text struct {
	title, body, language, path string
	tags                        []int
	metadata                    map[string]string
	at                          *[2]float64 // longitude, latitude
}

// meridian has what the documented searches look for: PostgreSQL, Rupert, Café naïve, negligence and product design, the
// Smiths of cardiology, points around San Francisco, and the paths beside engineering.backend.
func meridian() []text {
	return []text{
		{
			title: "PostgreSQL tuning guide", path: "engineering.backend", tags: []int{1, 5, 12},
			body:     "How we run postgres in production: shared_buffers, work_mem, autovacuum, and which indexes pay for themselves.",
			metadata: map[string]string{"priority": "high", "tags": "database, postgres", "team": "platform"},
			at:       &[2]float64{-122.4194, 37.7749},
		},
		{
			title: "API style guide", path: "engineering.backend.api", tags: []int{1, 2},
			body:     "Names of fields and mutations, errors, pagination with cursors, and how a deprecated field leaves the schema.",
			metadata: map[string]string{"priority": "normal", "team": "platform"}, at: &[2]float64{-122.4089, 37.7837},
		},
		{
			title: "Job queue runbook", path: "engineering.backend.queues.runbook", tags: []int{5, 7},
			body:     "What to do when the backlog grows: look at the oldest due job, the rate of failures and the number of workers, in this order.",
			metadata: map[string]string{"priority": "high", "team": "platform"},
		},
		{
			title: "Retired backend of 2019", path: "engineering.backendx", tags: []int{9},
			body:     "The service that the current backend replaced. It is kept for its migration notes only.",
			metadata: map[string]string{"status": "archived"},
		},
		{
			title: "Design tokens for the web", path: "engineering.frontend", tags: []int{2, 3},
			body:     "Colours, spacing and type scales, and how a theme overrides them.",
			metadata: map[string]string{"team": "web"}, at: &[2]float64{-122.2712, 37.8044},
		},
		{
			title: "Café naïve: notes on a tasting menu", path: "culture.food", tags: []int{40},
			body:     "A small place with a résumé of dishes from Orléans: crème brûlée, pâté en croûte and an honest espresso.",
			metadata: map[string]string{"kind": "review"}, at: &[2]float64{-122.4330, 37.7599},
		},
		{
			title: "Welcome letter from Rupert", path: "people.onboarding", tags: []int{4},
			body:     "Rupert from the people team shows newcomers around: badge, laptop, first commit on the first day.",
			metadata: map[string]string{"kind": "letter"},
		},
		{
			title: "Case brief: Delgado v. Acme Tools", path: "legal.cases.acme.delgado", tags: []int{20, 21},
			body: "The plaintiff was hurt by a table saw without a guard. We argue negligence in the product design: a safer " +
				"alternative was known, cheap, and left out. The defect was there when the saw left the factory.",
			metadata: map[string]string{"court": "NDCA", "judge": "Alvarez", "stage": "discovery"},
		},
		{
			title: "Motion to dismiss: Acme Tools", path: "legal.cases.acme.motion", tags: []int{20},
			body:     "The defendant moves to dismiss the claim of strict liability; the warnings printed on the saw are its only ground.",
			metadata: map[string]string{"court": "NDCA", "judge": "Alvarez", "stage": "motion"},
		},
		{
			title: "Lease agreement, Market Street", path: "legal.contracts", tags: []int{22},
			body:     "Five years with an option for three more; the tenant insures the windows.",
			metadata: map[string]string{"court": "none", "status": "signed"}, at: &[2]float64{-122.3999, 37.7890},
		},
		{
			title: "Smith, cardiology: chest X-ray", path: "cardiology.patient_smith_2024", tags: []int{10, 15},
			body:     "The heart is of normal size, the lungs are clear. Control in six months.",
			metadata: map[string]string{"ward": "cardiology", "kind": "report"}, at: &[2]float64{-122.4579, 37.7631},
		},
		{
			title: "Smyth, cardiology: chest pain at rest", path: "cardiology.patient_smyth_2024", tags: []int{10, 15},
			body:     "ECG without findings; troponin twice negative. Stress test arranged.",
			metadata: map[string]string{"ward": "cardiology", "kind": "letter"},
		},
		{
			title: "Smythe, cardiology: chest CT", path: "cardiology.patient_smythe_2023", tags: []int{10, 16},
			body:     "No embolism. An old fracture of the fifth rib, healed.",
			metadata: map[string]string{"ward": "cardiology", "kind": "report"},
		},
		{
			title: "Order 881: two lunches, Mission District", path: "logistics.orders.o881", tags: []int{31},
			body:     "Pick up at the taqueria at noon, deliver to the third floor. The lift is out of order.",
			metadata: map[string]string{"status": "open", "customer": "c17"}, at: &[2]float64{-122.4194, 37.7649},
		},
		{
			title: "Driver Mei, cargo bike", path: "logistics.drivers.mei", tags: []int{30},
			body:     "On shift from ten to six. Carries up to forty kilograms.",
			metadata: map[string]string{"status": "free"}, at: &[2]float64{-122.4180, 37.7680},
		},
		{
			title: "Driver Luis, scooter", path: "logistics.drivers.luis", tags: []int{30},
			body:     "On shift from noon to eight. Knows every hill.",
			metadata: map[string]string{"status": "free"}, at: &[2]float64{-122.4010, 37.7780},
		},
		{
			title: "Driver Ana, van", path: "logistics.drivers.ana", tags: []int{30},
			body:     "On shift from eight to four, across the bridge.",
			metadata: map[string]string{"status": "busy"}, at: &[2]float64{-122.2727, 37.8716},
		},
		{
			title: "Build 4521 of acme/api, main", path: "acme.api.main.4521", tags: []int{50, 51},
			body:     "Green in 6 minutes 12 seconds: 1,904 tests, 3 skipped. Image pushed and signed.",
			metadata: map[string]string{"branch": "main", "commit": "9f3c2ab", "result": "passed"},
		},
		{
			title: "Build 4520 of acme/api, main", path: "acme.api.main.4520", tags: []int{50, 52},
			body:     "Red: the integration stage ran out of disk space while the cache was being unpacked.",
			metadata: map[string]string{"branch": "main", "commit": "51d07be", "result": "failed"},
		},
		{
			title: "Build 77 of acme/apiary, main", path: "acme.apiary.main.77", tags: []int{50, 51},
			body:     "Green. The other product whose name starts the same way.",
			metadata: map[string]string{"branch": "main", "commit": "c0ffee1", "result": "passed"},
		},
	}
}

// lakeside is the only tenant with the word zebrafish.
func lakeside() []text {
	return []text{
		{
			title: "Zebrafish hearts that heal", path: "research.cardiology", tags: []int{10, 60},
			body:     "Why a zebrafish grows lost heart muscle again, and what that could mean after an infarction.",
			metadata: map[string]string{"kind": "paper"}, at: &[2]float64{-122.4577, 37.7627},
		},
		{
			title: "Ward rota, spring", path: "wards.rota", tags: []int{61},
			body:     "Nights are shared by four; whoever has a weekend off has the Friday off as well.",
			metadata: map[string]string{"kind": "plan"},
		},
		{
			title: "Consent form for the registry", path: "forms.consent", tags: []int{62},
			body:     "Patients may leave the registry at any time, without giving a reason.",
			metadata: map[string]string{"kind": "form", "version": "3"},
		},
		{
			title: "Aufklärungsbogen Herzkatheter", language: "de", path: "forms.german", tags: []int{62},
			body:     "Die Untersuchung dauert etwa eine halbe Stunde. Größere Eingriffe werden vorher besprochen.",
			metadata: map[string]string{"kind": "form"},
		},
		{
			title: "Lettre de sortie", language: "fr", path: "letters.french", tags: []int{63},
			body:     "Le patient rentre à domicile; contrôle chez son médecin dans trois semaines.",
			metadata: map[string]string{"kind": "letter"},
		},
		{
			title: "Defibrillators: where they hang", path: "safety.equipment", tags: []int{64},
			body:     "One on each floor beside the lift, checked on the first Monday of the month.",
			metadata: map[string]string{"kind": "map"}, at: &[2]float64{-122.4586, 37.7633},
		},
		{
			title: "Ethics board, minutes of May", path: "research.ethics", tags: []int{60, 62},
			body:     "Two studies were approved, one was sent back for a shorter questionnaire.",
			metadata: map[string]string{"kind": "minutes"},
		},
		{
			title: "Cafeteria menu", path: "culture.food", tags: []int{40},
			body:     "Soup of the day, two mains, and fruit.",
			metadata: map[string]string{"kind": "menu"},
		},
	}
}

func bayline() []text {
	return []text{
		{
			title: "Depot South: opening hours", path: "depots.south", tags: []int{70},
			body:     "Gate open from five; heavy goods until noon only.",
			metadata: map[string]string{"status": "open"}, at: &[2]float64{-122.3892, 37.7466},
		},
		{
			title: "Depot Oakland: cold chain", path: "depots.oakland", tags: []int{70, 71},
			body:     "Four cold rooms at two to eight degrees, logged every minute.",
			metadata: map[string]string{"status": "open"}, at: &[2]float64{-122.3010, 37.7955},
		},
		{
			title: "Route 12: airport loop", path: "routes.r12", tags: []int{72},
			body:     "Leaves every forty minutes. Customs papers travel with the driver.",
			metadata: map[string]string{"vehicle": "van"}, at: &[2]float64{-122.3790, 37.6213},
		},
		{
			title: "Damaged goods: what to write down", path: "manual.claims", tags: []int{73},
			body:     "Three photographs, the seal's number, and the name of whoever signed.",
			metadata: map[string]string{"kind": "manual"},
		},
		{
			title: "Winter tyres", path: "manual.fleet", tags: []int{74},
			body:     "Fitted in November for everything that crosses the Sierra.",
			metadata: map[string]string{"kind": "manual"},
		},
		{
			title: "Contract with Meridian Group", path: "contracts.meridian", tags: []int{22},
			body:     "Same-day delivery within the city, settled monthly.",
			metadata: map[string]string{"status": "signed"},
		},
	}
}
