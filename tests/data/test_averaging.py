import numpy as np
import pytest
import torch

from mosegedge.data import Sample
from mosegedge.data.averaging import Looks, mean_probabilities
from mosegedge.data.transforms import to_batch
from mosegedge.errors import UsageError

SIZE = (64, 96)


def picture(height, width):
    """Its left half is red, the right half green."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 1] = 255
    return Sample(image, np.zeros((height, width), np.uint8))


def looker(seen):
    def predict(batch):
        seen.append(batch)
        return torch.nn.functional.avg_pool2d(batch, 4)

    return predict


def test_every_scale_and_the_mirror_image_are_looked_at():
    seen, looks = [], Looks(scales=(0.5, 1.0, 2.0), flip=True)
    result = mean_probabilities(looker(seen), picture(128, 192), SIZE, looks)
    assert [tuple(batch.shape[2:]) for batch in seen] == [
        size for size in ((32, 64), (64, 96), (128, 192)) for _ in range(2)
    ]
    assert looks.count == len(seen) == 6
    assert looks.sizes(SIZE) == [(32, 64), (64, 96), (128, 192)]
    assert result.shape == (3, 128, 192)
    assert torch.allclose(result.sum(dim=0), torch.ones(128, 192))


def test_large_scales_see_the_details_of_the_picture_itself():
    fine = np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8)
    sample, seen = Sample(fine, np.zeros((128, 192), np.uint8)), []
    mean_probabilities(looker(seen), sample, SIZE, Looks(scales=(1.0, 2.0)))
    assert torch.equal(seen[1], to_batch([sample], (128, 192)))


def test_mirrored_looks_are_turned_back():
    labels = mean_probabilities(looker([]), picture(100, 150), SIZE, Looks(scales=(1.0, 1.5), flip=True)).argmax(dim=0)
    assert (labels[:, :70] == 0).all()
    assert (labels[:, 80:] == 1).all()


def test_probabilities_are_averaged_at_the_size_of_the_labels_not_logits_and_not_before():
    generator = torch.Generator().manual_seed(1)
    answers = [3 * torch.randn(1, 4, 16, 24, generator=generator) for _ in range(2)]
    given = iter(answers)
    found = mean_probabilities(lambda batch: next(given), picture(128, 192), SIZE, Looks(scales=(1.0, 2.0)))
    grown = [
        torch.nn.functional.interpolate(answer, size=(128, 192), mode="bilinear", align_corners=False)
        for answer in answers
    ]
    assert torch.allclose(found, (grown[0].softmax(1) + grown[1].softmax(1))[0] / 2)


def test_a_flip_makes_an_unfair_network_fair():
    bias = torch.linspace(0, 1, 96).view(1, 1, 1, 96)

    def predict(batch):
        return torch.cat([bias.expand(1, 1, 64, 96), 1 - bias.expand(1, 1, 64, 96)], dim=1)

    result = mean_probabilities(predict, picture(64, 96), SIZE, Looks(flip=True))
    assert torch.allclose(result, result.flip(2), atol=1e-6)


def test_an_upright_picture_is_averaged_where_it_lies():
    upright = picture(192, 96)
    result = mean_probabilities(looker([]), upright, SIZE, Looks(scales=(1.0, 2.0), flip=True))
    assert result.shape == (3, 192, 96)
    labels = result.argmax(dim=0)
    assert (labels[:, :40] == 0).all()
    assert (labels[:, 56:] == 1).all()


@pytest.mark.parametrize("scales", [(), (1.0, 0.0), (-1.0,), (float("nan"),), (float("inf"),), (9.0,)])
def test_scales_that_cannot_be_are_refused(scales):
    with pytest.raises(UsageError, match="above 0"):
        Looks(scales=scales)


def test_one_look_is_known_as_such():
    assert Looks().once
    assert not Looks(flip=True).once
    assert not Looks(scales=(1.0, 1.0)).once
