r"""The published system's first command: train what a settings file describes.

python -u train.py --config_env configs/env.yml \
    --config_exp configs/google_commands/lambda_resnet18.yml --gpu 0
"""

from watchword.doors import train_door

if __name__ == "__main__":
    train_door()
