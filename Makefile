# make demo   a clip (or CAMERA=0, VIDEO=path) through camera, recognizer, mirror and virtual face
# make test   all tests
# make bench  speed against the classic loop    make soak, make faults  long runs and real faults
# Each makes its own environment in .venv first; nothing is installed outside this folder.

SHELL := /bin/bash
VENV := $(CURDIR)/.venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/expression_ros.ready
CLIPS := .cache/clips

CAMERA ?=
VIDEO ?=
OUTPUT ?= demo_output

# All ROS traffic stays on this machine.
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
# A sourced ROS installation has another Python and another middleware than the environment.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH
unexport COLCON_PREFIX_PATH ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION RMW_IMPLEMENTATION
unexport ROS_LOCALHOST_ONLY FASTRTPS_DEFAULT_PROFILES_FILE
export FASTDDS_DEFAULT_PROFILES_FILE := $(CURDIR)/config/fastdds_large_images.xml

.PHONY: help demo test bench soak faults mutations lint models environment clips clean

help:
	@sed -n '1,4s/^# //p' Makefile

environment:
	@tools/make_environment.sh "$(VENV)"

clips: environment
	@$(PYTHON) tools/fetch_clips.py $(CLIPS) || echo "going on without the clips"

demo: environment
ifneq ($(CAMERA),)
	@$(PYTHON) -m expression_ros.cli demo --camera "$(CAMERA)" --output "$(OUTPUT)"
else ifneq ($(VIDEO),)
	@$(PYTHON) -m expression_ros.cli demo --video "$(VIDEO)" --output "$(OUTPUT)"
else
	@$(PYTHON) tools/fetch_clips.py $(CLIPS)
	@$(PYTHON) -m expression_ros.cli demo --video $(CLIPS)/single_face.mp4 --output "$(OUTPUT)"
endif

test: clips
	@$(PYTHON) tools/build_test_interfaces.py .cache/interfaces || true
ifeq ($(PYTEST_ARGS),)
	@echo "[test] without DDS, side by side"
	@$(PYTHON) -m pytest -m "not dds" -n auto --maxprocesses 4 --dist loadfile; pure=$$?; \
		echo "[test] over DDS, one after the other"; \
		{ $(PYTHON) -m pytest -m dds || [ $$? = 5 ]; } && exit $$pure  # 5: no rclpy, none to run
else
	@$(PYTHON) -m pytest $(PYTEST_ARGS)
endif

# Speed against the classic loop, in one run of about a quarter of an hour, into benchmarks/;
# BENCH=--quick for a look, BENCH="--only node" for a part (docs/performance.md).
BENCH ?=
bench: clips
	@$(PYTHON) tools/build_test_interfaces.py .cache/interfaces || true
	@$(PYTHON) benchmarks/run.py $(BENCH)

# All nodes on a clip in a loop for an hour; fails when memory, threads, file handles or latency grow.
MINUTES ?= 60
soak: clips
	@$(PYTHON) tools/soak.py --minutes $(MINUTES) --clip $(CLIPS)/single_face.mp4

# Kills, floods and misleads the nodes; writes what is seen into docs/reliability.md (two minutes).
faults: clips
	@$(PYTHON) tools/faults.py --clip $(CLIPS)/single_face.mp4

# Breaks copies of the code and reports which faults the tests do not notice (five minutes);
# MUTATIONS="--only pipeline" for a part, "--generic FILE" for changes of any kind (CONTRIBUTING.md).
MUTATIONS ?=
mutations: clips
	@$(PYTHON) tools/build_test_interfaces.py .cache/interfaces || true
	@$(PYTHON) tools/mutate.py $(MUTATIONS)

lint: environment
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy

# Rebuilds everything in models/ and docs/models.md: make models DATA=folder with fer2013.npz,
# ferplus_votes.npz, muxspace.zip and london.zip (and london_faces_info.csv, if it is there). The
# network takes PyTorch and about three hours on two cores; NETWORK=keep leaves it as it is.
TRAIN_NETWORK = $(PYTHON) -m expression_ros.commands.train_embedding \
	--data "$(DATA)/fer2013.npz" --muxspace "$(DATA)/muxspace.zip"

LEARN = --data "$(DATA)/fer2013.npz" --votes "$(DATA)/ferplus_votes.npz" --leave-out contempt \
	--without-copies --power 0.25 --components 256 --shrinkage 0.5 --refine 50 \
	--portraits "$(DATA)/london.zip" $(GROUPS:%=--portrait-groups "%")
GROUPS = $(wildcard $(DATA)/london_faces_info.csv)

models: environment
ifeq ($(DATA),)
	@echo "say where the labelled faces are: make models DATA=folder (see docs/data.md)" && exit 2
endif
ifneq ($(NETWORK),keep)
	@$(PYTHON) -c "import torch, onnx" 2>/dev/null || $(PYTHON) -m pip install torch onnx
	@mkdir -p .cache/network
	@$(TRAIN_NETWORK) --epochs 70 --minutes 74 --checkpoint .cache/network/first.pt \
		--output .cache/network/embedding.onnx
	@$(TRAIN_NETWORK) --epochs 90 --minutes 98 --checkpoint .cache/network/second.pt \
		--start .cache/network/first.pt
endif
	@$(PYTHON) -m expression_ros.cli train fisherfaces $(LEARN) \
		--favour fear=0.5 --favour happiness=0.25
	@$(PYTHON) -m expression_ros.cli train fisherfaces $(LEARN) --region upper \
		--output models/fisherfaces_upper
	@$(PYTHON) -m expression_ros.cli train mouth-cover --data "$(DATA)/fer2013.npz" \
		--votes "$(DATA)/ferplus_votes.npz" --portraits "$(DATA)/london.zip"
	@$(PYTHON) tools/compare_classifiers.py --data "$(DATA)"

clean:
	rm -rf .venv .cache build install log dist demo_output *.egg-info
