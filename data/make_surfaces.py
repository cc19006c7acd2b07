"""Draw the sample set of textured surfaces with and without defects.

Every image gets its own random generator, seeded by the class and the number of
the image, so the set is the same on each run and one image never shifts another.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

FloatArray: TypeAlias = npt.NDArray[np.float32]
Rng: TypeAlias = np.random.Generator
Strokes: TypeAlias = list[tuple[list[tuple[float, float]], float]]
Painter: TypeAlias = Callable[[Rng, int, int], FloatArray]

SEED = 20240
PER_CLASS = 60
JPEG_QUALITY = 80
FINE = 4  # strokes are drawn this many times larger
MOST_BRANCHES = 8
SIZES = ((160, 120), (160, 120), (144, 108), (176, 132), (160, 128), (120, 160))


def blurred(field: FloatArray, radius: float) -> FloatArray:
    """Blur a field of values between 0 and 1."""
    image = Image.fromarray(np.rint(field.clip(0, 1) * 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def smooth_noise(rng: Rng, width: int, height: int, cell_x: float, cell_y: float) -> FloatArray:
    """Draw noise of unit spread which varies over cells of the given size."""
    shape = (max(2, round(height / cell_y)), max(2, round(width / cell_x)))
    noise = Image.fromarray(rng.standard_normal(shape, dtype=np.float32))
    smooth = noise.resize((width, height), Image.Resampling.BICUBIC)
    field: FloatArray = np.asarray(smooth, dtype=np.float32)
    return (field - np.float32(field.mean())) / np.float32(field.std() + 1e-6)


def layered_noise(rng: Rng, width: int, height: int, cell: float) -> FloatArray:
    """Add up noise of ever finer grain, starting at the given cell size."""
    total = np.zeros((height, width), dtype=np.float32)
    weight = 1.0
    while cell >= 1:
        total += np.float32(weight) * smooth_noise(rng, width, height, cell, cell)
        cell, weight = cell / 2, weight * 0.7
    return total / np.float32(total.std())


def metal(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw the fine parallel lines of brushed metal, in grey levels around 0."""
    side = 2 * max(width, height)
    fine = smooth_noise(rng, side, side, rng.uniform(30, 120), 1)
    coarse = smooth_noise(rng, side, side, side, rng.uniform(3, 8))
    lines = Image.fromarray(fine * rng.uniform(3, 8) + coarse * rng.uniform(1, 4))
    angle = rng.choice([0, 90]) + rng.normal(0, 8)
    turned = lines.rotate(angle, Image.Resampling.BICUBIC)
    left, top = (side - width) // 2, (side - height) // 2
    middle = turned.crop((left, top, left + width, top + height))
    return np.asarray(middle, dtype=np.float32)


def concrete(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw cloudy concrete with small dark pores, in grey levels around 0."""
    clouds = layered_noise(rng, width, height, rng.uniform(16, 60))
    grain = smooth_noise(rng, width, height, 1.5, 1.5)
    pores = (smooth_noise(rng, width, height, 2.5, 2.5) > rng.uniform(2.3, 3.2)) * 1.0
    dark = blurred(pores.astype(np.float32), 0.7) * rng.uniform(10, 45)
    level = clouds * rng.uniform(4, 10) + grain * rng.uniform(2, 6) - dark
    return np.asarray(level, dtype=np.float32)


def plaster(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw painted plaster as bumps lit from one side, in grey levels around 0."""
    bumps = layered_noise(rng, width, height, rng.uniform(5, 16))
    slope_y, slope_x = np.gradient(bumps)
    angle = rng.uniform(0, 2 * math.pi)
    relief = slope_x * math.cos(angle) + slope_y * math.sin(angle)
    return np.asarray(relief / relief.std() * rng.uniform(3, 11), dtype=np.float32)


def stone(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw polished stone with faint winding veins, in grey levels around 0."""
    field = layered_noise(rng, width, height, rng.uniform(30, 80))
    veins = np.exp(-np.abs(field) * np.float32(rng.uniform(8, 20)))
    body = layered_noise(rng, width, height, rng.uniform(6, 30))
    level = body * rng.uniform(4, 9) + veins * rng.uniform(-16, 16)
    return np.asarray(level, dtype=np.float32)


def stroke_mask(strokes: Strokes, width: int, height: int) -> FloatArray:
    """Rasterise tapering strokes, each given by its points and its first width."""
    image = Image.new("L", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(image)
    for points, thickness in strokes:
        for index, (start, end) in enumerate(itertools.pairwise(points)):
            taper = 1 - 0.6 * index / len(points)
            ends = [(x * FINE, y * FINE) for x, y in (start, end)]
            draw.line(ends, fill=255, width=max(1, round(thickness * taper * FINE)))
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def scratches(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw the mask of a few thin, gently bent scratches of similar direction."""
    direction = rng.uniform(0, 2 * math.pi)
    strokes: Strokes = []
    for _ in range(rng.integers(1, 4)):
        angle = direction + rng.normal(0, 0.3)
        length = rng.uniform(0.2, 0.7) * width
        bend = rng.normal(0, 0.25) / length
        x = rng.uniform(0.3, 0.7) * width - math.cos(angle) * length / 2
        y = rng.uniform(0.3, 0.7) * height - math.sin(angle) * length / 2
        points = [(x, y)]
        for _ in range(round(length / 2)):
            x, y = x + 2 * math.cos(angle), y + 2 * math.sin(angle)
            points.append((x, y))
            angle += 2 * bend
        strokes.append((points, rng.uniform(0.6, 1.6)))
    return stroke_mask(strokes, width, height)


def spots(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw the mask of one to three uneven stains."""
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    mask: FloatArray = np.zeros((height, width), dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height
        radius = rng.uniform(0.05, 0.14) * min(width, height)
        stretch, turn = rng.uniform(0.7, 1.4), rng.uniform(0, math.pi)
        along = (grid_x - x) * math.cos(turn) + (grid_y - y) * math.sin(turn)
        across = (grid_y - y) * math.cos(turn) - (grid_x - x) * math.sin(turn)
        distance = np.hypot(along * stretch, across / stretch) / radius
        distance += smooth_noise(rng, width, height, radius, radius) * 0.15
        mask = np.maximum(mask, ((1.1 - distance) * rng.uniform(1.5, 6)).clip(0, 1))
    return mask


def cracks(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw the mask of a jagged crack which branches as it grows."""
    x, y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height
    to_centre = math.atan2(height / 2 - y, width / 2 - x)
    growing = [(x, y, to_centre + rng.normal(0, 0.5), rng.uniform(0.5, 1.0) * width)]
    strokes: Strokes = []
    thickness = rng.uniform(1.0, 2.2)
    while growing and len(strokes) < MOST_BRANCHES:
        x, y, heading, length = growing.pop(0)
        points = [(x, y)]
        while length > 0:
            step, angle = rng.uniform(2, 6), heading + rng.normal(0, 0.6)
            x, y = x + step * math.cos(angle), y + step * math.sin(angle)
            points.append((x, y))
            length -= step
            heading += rng.normal(0, 0.12)
            if rng.random() < 0.1:
                side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
                growing.append((x, y, heading + side, length * 0.6))
        strokes.append((points, thickness))
        thickness = max(0.6, thickness * 0.8)
    return stroke_mask(strokes, width, height)


def distractors(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw what any sound surface may show: grain lines, shadows, smudges, dust."""
    total = np.zeros((height, width), dtype=np.float32)
    if rng.random() < 0.5:
        total += scratches(rng, width, height) * rng.uniform(-9, 9)
    if rng.random() < 0.3:
        total -= blurred(cracks(rng, width, height), 0.8) * rng.uniform(2, 9)
    if rng.random() < 0.5:
        total -= blurred(spots(rng, width, height), 6) * rng.uniform(4, 16)
    if rng.random() < 0.4:
        edge = smooth_noise(rng, width, height, width, height) > rng.uniform(-1, 1)
        shadow = blurred(edge.astype(np.float32), rng.uniform(3, 10))
        total -= shadow * rng.uniform(5, 18)
    dust = rng.random((height, width)) < rng.uniform(0, 0.002)
    return total + blurred(dust.astype(np.float32), 0.6) * rng.uniform(-60, 60)


def light(rng: Rng, width: int, height: int) -> FloatArray:
    """Draw the factor of uneven lighting and of darker corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    slope = (x * math.cos(angle) + y * math.sin(angle)) * rng.uniform(0, 0.18)
    factor = 1 + slope - (x**2 + y**2) * rng.uniform(0, 0.12)
    return np.asarray(factor, dtype=np.float32)


# Each material with the spread of its tint.
MATERIALS: list[tuple[Painter, float]]
MATERIALS = [(metal, 0.04), (concrete, 0.05), (plaster, 0.16), (stone, 0.1)]
# Each defect with its weakest and strongest contrast, in grey levels, and the
# chance that it is darker than the surface.
DEFECTS: dict[str, tuple[Painter, float, float, float] | None] = {
    "clean": None,
    "scratch": (scratches, 22, 75, 0.4),
    "spot": (spots, 16, 60, 0.8),
    "crack": (cracks, 24, 85, 1.0),
}


def draw_surface(rng: Rng, label: str) -> Image.Image:
    """Draw one surface of the given class."""
    width, height = SIZES[rng.integers(len(SIZES))]
    material, spread = MATERIALS[rng.integers(len(MATERIALS))]
    grey = material(rng, width, height) + distractors(rng, width, height)
    grey += np.float32(rng.uniform(95, 185))
    colour = grey[..., None] * (1 + rng.uniform(-1, 1, 3) * spread)
    if (defect := DEFECTS[label]) is not None:
        draw, weakest, strongest, dark_chance = defect
        contrast = rng.uniform(weakest, strongest)
        sign = -1 if rng.random() < dark_chance else 1
        stain = 1 + rng.uniform(-0.3, 0.3, 3) * (label == "spot")
        colour += draw(rng, width, height)[..., None] * stain * contrast * sign
    colour *= light(rng, width, height)[..., None]
    noise = rng.normal(0, rng.uniform(1, 5), (height, width, 1))
    colour += noise + rng.normal(0, 1.5, (height, width, 3))
    image = Image.fromarray(np.rint(colour.clip(0, 255)).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the whole set as JPEG files, one folder per class."""
    parser = argparse.ArgumentParser(description="Draw the sample set of surfaces.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    out: Path = parser.parse_args(arguments).out
    for class_index, label in enumerate(DEFECTS):
        folder = out / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, PER_CLASS + 1):
            rng = np.random.default_rng([SEED, class_index, number])
            image = draw_surface(rng, label)
            image.save(folder / f"{label}_{number:02d}.jpg", quality=JPEG_QUALITY)


if __name__ == "__main__":
    main()
