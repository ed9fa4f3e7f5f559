# Two commands do everything on a fresh machine with Node 20 or newer: `make demo` and `make test`.
CHARLOOM = node bin/charloom.js
RUN = runs/demo

.PHONY: help demo test sanitize showcase gradients check fix build bench race quality ablation compression soak clean

help:
	@echo 'make demo      train on a bundled play for about a minute, evaluate, sample'
	@echo 'make test      check types and style, build, run the tests'
	@echo 'make sanitize  the tests of the native engine, with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make check     types and style only'
	@echo 'make fix       format, and repair what the linter can'
	@echo 'make build     the compiled package in dist/'
	@echo 'make bench     speed of the kernels'
	@echo 'make race      speed against other libraries and the limit of the machine (docs/benchmarks.md)'
	@echo 'make quality   how good a model the default settings make of a text in 3 and 10 minutes (ARGS=TEXT)'
	@echo 'make ablation  what each of the default settings is worth on a text (ARGS=TEXT; hours)'
	@echo 'make compression  a text that a model has not seen, beside xz, zstd and others (ARGS=TEXT; 11 minutes; docs/compression.md)'
	@echo 'make soak      kills, signals, full disks, damaged files by the thousand; an hour of training (two hours or so)'
	@echo 'make showcase  what each cell can learn of texts with a known continuation'
	@echo 'make gradients the figure of gradients over time, docs/gradients.svg'
	@echo 'make clean     remove everything that was made'

# Everything that is installed or compiled follows from these files.
node_modules/.installed: package.json package-lock.json asconfig.json $(wildcard src/engine/simd/assembly/* src/engine/simd/unroll.mjs)
	npm ci --no-audit --no-fund
	@touch $@

demo: node_modules/.installed
	rm -rf $(RUN)
	$(CHARLOOM) train corpora/lighthouse.txt --preset tiny --out $(RUN)
	$(CHARLOOM) eval $(RUN) --split test
	$(CHARLOOM) sample $(RUN) --prompt 'MARA:' --length 600 --temperature 0.7 --seed 7

# Mesa's lavapipe, if that is the GPU, then compiles its shaders in half of the time.
test: export LP_NATIVE_VECTOR_WIDTH = 128
test: export GALLIVM_PERF = nopt
test: check build
	npm test --silent

# GCC's; LD_PRELOAD because Node itself is not sanitized.
sanitize: export CFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -g -O1
sanitize: export CC = gcc
sanitize: export ASAN_OPTIONS = detect_leaks=0
sanitize: node_modules/.installed
	export XDG_CACHE_HOME=$$(mktemp -d) LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)"; \
	node bin/charloom.js bench --device native --shape 1x8@4x8 --seconds 0.01 >/dev/null && \
	node --import tsx --test --test-name-pattern native --test-reporter spec \
	  test/contract/*.test.ts test/model/golden.test.ts test/model/bfloat16.test.ts test/engine/threads.test.ts; \
	status=$$?; rm -r $$XDG_CACHE_HOME; exit $$status

check: node_modules/.installed
	npm run --silent check

fix: node_modules/.installed
	npm run --silent fix

build: node_modules/.installed
	npm run --silent build

showcase: node_modules/.installed
	node --import tsx test/showcase/structured-text.ts

# On simd, whose bits are the same everywhere: so is the figure.
gradients: node_modules/.installed
	rm -rf runs/gradients
	$(CHARLOOM) train corpora/lighthouse.txt --preset tiny --minutes 0 --steps 1000 --device simd --out runs/gradients
	$(CHARLOOM) gradients runs/gradients --device simd --svg docs/gradients.svg

bench: node_modules/.installed
	node --import tsx test/bench/simd-matmul.ts
	node --import tsx test/bench/step-profile.ts
	node --import tsx test/bench/gpu-matmul.ts

race: build
	node --import tsx test/bench/race.ts $(ARGS)

quality: build
	node --import tsx test/bench/quality.ts $(ARGS)

ablation: build
	node --import tsx test/bench/ablation.ts $(ARGS)

compression: build
	node --import tsx test/bench/compression.ts $(ARGS)

soak: build
	node --import tsx test/soak/kills.ts
	node --import tsx test/soak/signals.ts
	node --import tsx test/soak/locks.ts
	node --import tsx test/soak/full-disk.ts
	node --import tsx test/soak/terminal.ts
	node --import tsx test/soak/mutations.ts
	node --import tsx test/soak/versions.ts
	node --import tsx test/soak/memory.ts
	node --import tsx test/soak/gpu-memory.ts

clean:
	rm -rf node_modules dist src/engine/simd/kernels.wasm
