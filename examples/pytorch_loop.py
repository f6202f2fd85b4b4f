"""Finished shards in a PyTorch loop of your own.

python examples/pytorch_loop.py demo-output/shards
"""

import io
import sys

from PIL import Image
from torch.utils.data import DataLoader

import weft


def main() -> None:
    """Print the first samples of each corpus: tokens, targets, and where the pictures go."""
    for corpus in ("interleaved", "pairs", "text"):
        dataset = weft.ShardDataset(sys.argv[1], corpus, split="train", seed=0)
        print(f"{corpus}: {len(dataset)} sequences, {dataset.vocabulary.size} token ids")
        for number, sample in enumerate(DataLoader(dataset, batch_size=None, num_workers=1)):
            sizes = [Image.open(io.BytesIO(data)).size for data in sample["images"]]
            slots = [f"{row[0]}..{row[-1]}" for row in sample["image_slots"].tolist()]
            targets = int(sample["loss_mask"].sum())
            print(f"  {sample['key']}: {len(sample['input_ids'])} tokens, {targets} targets, images {sizes} at {slots}")
            if number == 2:
                break


if __name__ == "__main__":
    main()
